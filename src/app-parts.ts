/** The parts of an app, put together for the host that it runs on. */

import { randomInt, randomUUID } from "node:crypto";
import { openAuthenticator } from "./app-auth.ts";
import { graphStore, openCheckpointers, openEngine, type AppEngine } from "./app-engine.ts";
import { openStores } from "./app-stores.ts";
import { lazySender, webhookPolicy } from "./app-webhooks.ts";
import { systemClock } from "./clock.ts";
import type { AssistantVersionStore } from "./core/assistant-store.ts";
import type { Authenticator } from "./core/auth.ts";
import { claimsWithAlarm, openAlarm, runsWithAlarm } from "./core/alarm.ts";
import type { CommandStore } from "./core/commands.ts";
import type { CronStore } from "./core/cron-store.ts";
import type { Checkpointers } from "./core/execution.ts";
import type { GraphRegistry, GraphStores } from "./core/graphs.ts";
import type { Logger } from "./core/logger.ts";
import type { RateLimiter } from "./core/rate-limits.ts";
import type { ResumeLinkStore } from "./core/resume-links.ts";
import { observedClaims, observedQueue, observedRuns } from "./core/observed.ts";
import { LEASE_MS } from "./core/runs.ts";
import type { SignStore } from "./core/sign-of-life.ts";
import type { StatusStore } from "./core/status.ts";
import type { StoreDeps } from "./core/store.ts";
import type { StreamLimit } from "./core/streams.ts";
import type { ThreadStorageStore } from "./core/thread-storage.ts";
import type { TickDeps } from "./core/tick.ts";
import type { WakeUpQueue } from "./core/wake-ups.ts";
import type { WebhookPolicy } from "./core/webhooks.ts";
import { workMessage } from "./core/work.ts";
import { toCommand } from "./engine/command.ts";
import { inProcessQueue } from "./engine/in-process-queue.ts";
import { toPlain } from "./engine/plain.ts";
import { cronRequest } from "./http/crons.ts";
import { namingRequests, outsideRequests } from "./http/request-id.ts";
import { namingSpans, openLogger } from "./logger.ts";
import { once } from "./once.ts";
import type { ParsedOptions } from "./options.ts";
import { apiKeyStore } from "./postgres/api-keys.ts";
import { claimStore } from "./postgres/claims.ts";
import { openDatabase, type Database } from "./postgres/pool.ts";
import { runStore } from "./postgres/runs.ts";
import { ping } from "./postgres/sql.ts";
import { itemStore } from "./postgres/store.ts";
import { streamStore } from "./postgres/streams.ts";
import { outsideSpans } from "./telemetry.ts";
import { hidingSecrets, secretsIn } from "./secrets.ts";
import { readSecrets } from "./environment.ts";
import { readSettings, type Settings } from "./settings.ts";

/** What a function host brings. */
export interface Host {
  /** By default those of the environment. */
  readonly settings?: Settings;
  /** By default one in this process, which is only good where the process lives on between requests. */
  readonly queue?: WakeUpQueue;
  /** Whether ticks that found nothing to do are logged as well, as a sign of life. Default: true. */
  readonly logsIdleTicks?: boolean;
}

/** If no setting says otherwise. */
const EVENT_RETENTION_MS = 86_400_000;

export interface AppParts extends TickDeps, AppEngine {
  readonly database: Database;
  readonly checkpointers: Checkpointers;
  readonly graphStore: GraphStores;
  readonly crons: CronStore;
  readonly commands: CommandStore;
  readonly links: ResumeLinkStore;
  readonly signs: SignStore;
  readonly linkSecrets: readonly string[];
  /** Where people reach the app; undefined for as requests say. */
  readonly publicUrl: string | undefined;
  readonly threadStorage: ThreadStorageStore;
  readonly assistantVersions: AssistantVersionStore;
  readonly webhookPolicy: WebhookPolicy;
  readonly limiter: () => Promise<RateLimiter | undefined>;
  readonly streamLimit: StreamLimit | undefined;
  readonly authenticator: () => Promise<Authenticator | undefined>;
  readonly pingDatabase: () => Promise<void>;
  readonly statuses: StatusStore;
  readonly toPlain: typeof toPlain;
  readonly toCommand: typeof toCommand;
}

export function openParts(
  options: ParsedOptions,
  graphs: GraphRegistry,
  { settings = readSettings(), queue: hostQueue, logsIdleTicks = true }: Host,
  shutdown: AbortSignal,
): AppParts {
  const logger = openLogs(options, settings);
  const database = openDatabase(settings.database);
  for (const [name, defaults] of settings.graphDefaults ?? []) graphs.configure(name, defaults);
  const running = new Set<Promise<unknown>>();
  const work = async (message: object): Promise<void> =>
    apart(async () => workMessage(parts, message, { signal: shutdown, authLevel: "admin" }));
  const queue = observedQueue(hostQueue ?? inProcessQueue(systemClock, work, shutdown));
  const { leaseMs = LEASE_MS, eventRetentionMs = EVENT_RETENTION_MS } = settings;
  const isExecuting = (): boolean => running.size > 0;
  const alarm = openAlarm({ queue, clock: systemClock, logger, leaseMs, isExecuting });
  const { preload, ...checkpointers } = openCheckpointers(database);
  const { ttl, index } = options.store;
  const store: StoreDeps = { items: itemStore(database, index?.dims), clock: systemClock, ttl, index };
  const shared = {
    claims: claimsWithAlarm(observedClaims(claimStore(database), systemClock), alarm),
    queue,
    leaseMs,
    clock: systemClock,
    startedAt: systemClock.now(),
    newId: randomUUID,
    checkpointers,
    graphStore: graphStore(store),
    logger,
  };
  const parts: AppParts = {
    ...shared,
    database,
    running,
    stopping: shutdown,
    store,
    ...openEngine({ ...shared, database, graphs, shutdown }, preload),
    ...openStores(database, graphs),
    runs: runsWithAlarm(observedRuns(runStore(database)), alarm),
    eventRetentionMs,
    logsIdleTicks,
    linkSecrets: settings.resumeLinkSecrets ?? [],
    publicUrl: settings.publicUrl,
    maxRuns: options.limits.maxRuns,
    threadTtl: options.threads.ttl,
    webhookPolicy: webhookPolicy(options),
    sender: lazySender(options, settings),
    chance: () => randomInt(1_000) / 1_000,
    retrySeconds: options.webhooks.retrySeconds,
    requestOf: async (cron, caller) => cronRequest(parts, cron, caller),
    limiter: once(async () => rateLimiter(database, options)),
    streamLimit: streamLimit(database, options),
    authenticator: openAuthenticator(options, { apiKeys: apiKeyStore(database), clock: systemClock }),
    pingDatabase: async () => ping(database),
    toPlain,
    toCommand,
  };
  return parts;
}

/** What a message of this process' own queue asks for is no part of the request in which it was sent. */
async function apart(work: () => Promise<void>): Promise<void> {
  return outsideRequests(async () => outsideSpans(work));
}

/** For all that we log, whoever writes it down. */
function openLogs(
  options: ParsedOptions,
  { logLevel, database, webhookSecrets = [], resumeLinkSecrets = [] }: Settings,
): Logger {
  const { url, encryptionKeys = [] } = database;
  const keys = encryptionKeys.map(({ bytes }) => Buffer.from(bytes).toString("base64"));
  const ours = [
    url,
    ...keys,
    ...webhookSecrets,
    ...resumeLinkSecrets,
    ...Object.values(options.webhooks.headers),
  ];
  const secrets = [...ours.flatMap(secretsIn), ...readSecrets()];
  return namingRequests(namingSpans(hidingSecrets(options.logger ?? openLogger(logLevel), secrets)));
}

function streamLimit(database: Database, { limits: { maxStreams } }: ParsedOptions): StreamLimit | undefined {
  if (maxStreams === undefined) return undefined;
  return { streams: streamStore(database), clock: systemClock, newId: randomUUID, maxStreams };
}

async function rateLimiter(
  database: Database,
  { rateLimit }: ParsedOptions,
): Promise<RateLimiter | undefined> {
  if (rateLimit === undefined) return undefined;
  const { rateLimiter: open } = await import("./postgres/rate-limits.ts");
  return open(database, systemClock, rateLimit);
}
