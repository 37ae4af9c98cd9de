/** The parts of an app, put together for the host that it runs on. */

import { randomInt, randomUUID } from "node:crypto";
import { openAuthenticator } from "./app-auth.ts";
import { systemClock } from "./clock.ts";
import type { Authenticator } from "./core/auth.ts";
import { claimsWithAlarm, openAlarm, runsWithAlarm } from "./core/alarm.ts";
import type { CommandStore } from "./core/commands.ts";
import type { CronStore } from "./core/cron-store.ts";
import type { Checkpointers } from "./core/execution.ts";
import type { GraphRegistry, GraphStores } from "./core/graphs.ts";
import type { Doors } from "./core/model.ts";
import type { Logger } from "./core/logger.ts";
import type { RateLimiter } from "./core/rate-limits.ts";
import type { ResumeLinkStore } from "./core/resume-links.ts";
import { observedClaims, observedQueue, observedRuns } from "./core/observed.ts";
import { LEASE_MS } from "./core/runs.ts";
import type { SignStore } from "./core/sign-of-life.ts";
import type { StatusStore } from "./core/status.ts";
import type { StoreDeps } from "./core/store.ts";
import { storeOf } from "./core/store-access.ts";
import type { StreamLimit } from "./core/streams.ts";
import type { ThreadLog } from "./core/thread-log.ts";
import type { ThreadStorageStore } from "./core/thread-storage.ts";
import type { TickDeps } from "./core/tick.ts";
import type { WakeUpQueue } from "./core/wake-ups.ts";
import type { WebhookPolicy, WebhookSender } from "./core/webhooks.ts";
import { workMessage } from "./core/work.ts";
import { isPublicAddress, literalAddress } from "./engine/addresses.ts";
import { toCommand } from "./engine/command.ts";
import { executeRun, type ExecuteDeps } from "./engine/execute.ts";
import { followThread, Journals } from "./engine/follow-thread.ts";
import { follow } from "./engine/follow.ts";
import { inProcessQueue } from "./engine/in-process-queue.ts";
import { toPlain } from "./engine/plain.ts";
import { flushTraces } from "./engine/tracing.ts";
import { cronRequest } from "./http/crons.ts";
import type { ProtocolRouteDeps } from "./http/protocol.ts";
import { namingRequests, outsideRequests } from "./http/request-id.ts";
import { namingSpans, openLogger } from "./logger.ts";
import { once } from "./once.ts";
import type { ParsedOptions } from "./options.ts";
import { agenda, retention } from "./postgres/agenda.ts";
import { apiKeyStore } from "./postgres/api-keys.ts";
import { assistantStore, assistantVersionStore } from "./postgres/assistants.ts";
import { claimStore } from "./postgres/claims.ts";
import { commandStore } from "./postgres/commands.ts";
import { cronCalendar, cronStore } from "./postgres/crons.ts";
import { endedThreads } from "./postgres/ended-threads.ts";
import { eventLog } from "./postgres/events.ts";
import { SCHEMA_VERSION } from "./postgres/migrate.ts";
import { openDatabase, type Database } from "./postgres/pool.ts";
import { resumeLinkStore } from "./postgres/resume-links.ts";
import { runStore } from "./postgres/runs.ts";
import { signStore } from "./postgres/sign-of-life.ts";
import { ping } from "./postgres/sql.ts";
import { statusStore } from "./postgres/status.ts";
import { itemStore } from "./postgres/store.ts";
import { streamStore } from "./postgres/streams.ts";
import { threadLog } from "./postgres/thread-log.ts";
import { threadStorageStore } from "./postgres/thread-storage.ts";
import { threadStateStore, threadStore } from "./postgres/threads.ts";
import { webhookStore } from "./postgres/webhooks.ts";
import { flushTelemetry, outsideSpans } from "./telemetry.ts";
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

export interface AppParts extends TickDeps {
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
  readonly log: ThreadLog;
  readonly threadStorage: ThreadStorageStore;
  readonly followThread: ProtocolRouteDeps["followThread"];
  readonly assistantVersions: ReturnType<typeof assistantVersionStore>;
  readonly webhookPolicy: WebhookPolicy;
  readonly limiter: () => Promise<RateLimiter | undefined>;
  readonly streamLimit: StreamLimit | undefined;
  readonly authenticator: () => Promise<Authenticator | undefined>;
  readonly pingDatabase: () => Promise<void>;
  readonly statuses: StatusStore;
  readonly flush: Doors["flush"];
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

function openEngine(
  deps: Omit<ExecuteDeps, "events" | "journals"> & { readonly database: Database },
  prepare: () => void,
): Pick<AppParts, "engine" | "log" | "followThread" | "flush"> {
  let hasExecuted = false;
  const journals = new Journals();
  const events = eventLog(deps.database);
  const log = threadLog(deps.database);
  const executing = { ...deps, events, journals };
  const following = { ...deps, events, log, journals };
  return {
    engine: {
      prepare,
      execute: async (run, limits) => {
        hasExecuted = true;
        return executeRun(executing, run, limits);
      },
      follow: (run, after, signal) => follow(following, run, after, signal),
    },
    log,
    followThread: (threadId, from, signal) => followThread(following, threadId, from, signal),
    flush: async (signal) => {
      const traces = hasExecuted ? flushTraces(deps.clock, signal) : undefined;
      const [isDelivered] = await Promise.all([flushTelemetry(deps.clock, signal), traces]);
      if (!isDelivered) deps.logger.warn({}, "Traces and metrics could not be delivered in time");
    },
  };
}

function openStores(database: Database, graphs: GraphRegistry) {
  return {
    graphs,
    threads: threadStore(database),
    threadStates: threadStateStore(database),
    threadStorage: threadStorageStore(database),
    assistants: assistantStore(
      database,
      graphs.list().map(({ name }) => name),
    ),
    assistantVersions: assistantVersionStore(database),
    changed: new Set<string>(),
    crons: cronStore(database),
    commands: commandStore(database),
    links: resumeLinkStore(database),
    signs: signStore(database),
    calendar: cronCalendar(database),
    webhooks: webhookStore(database),
    agenda: agenda(database),
    statuses: statusStore(database, SCHEMA_VERSION),
    endedThreads: endedThreads(database),
    retention: retention(database),
  };
}

/** LangChain is loaded, and the database made ready, when the first graph needs it. */
function openCheckpointers(database: Database): Checkpointers & { readonly preload: () => void } {
  const load = once(async () => {
    const [{ Checkpointer: PostgresCheckpointer }, { CheckpointWriter }] = await Promise.all([
      import("./postgres/checkpoints.ts"),
      import("./postgres/checkpoint-writer.ts"),
      database.ready(),
    ]);
    return { PostgresCheckpointer, writer: new CheckpointWriter(database) };
  });
  return {
    preload: () => void load().catch(() => undefined), // told to whoever needs one
    forRun: async (run, metadata, onFailure, unlogged) => {
      const { PostgresCheckpointer, writer } = await load();
      const isAsync = run.kwargs.durability !== "sync";
      const options = { writer, onFailure, unlogged, isAsync, isFresh: run.is_fresh };
      return new PostgresCheckpointer(database, run, metadata, options);
    },
    forThread: async () => {
      const { PostgresCheckpointer } = await load();
      return new PostgresCheckpointer(database);
    },
  };
}

/** LangChain is loaded when the first graph needs it. */
function graphStore(store: StoreDeps): GraphStores {
  const load = once(async () => import("./engine/store.ts"));
  return async (owner) => new (await load()).GraphStore(storeOf(store, owner ?? undefined));
}

function webhookPolicy({ webhooks }: ParsedOptions): WebhookPolicy {
  const isRefused = (url: URL): boolean => {
    const address = webhooks.allowPrivateAddresses ? undefined : literalAddress(url);
    return address !== undefined && !isPublicAddress(address);
  };
  const { allowedDomains, allowedPorts } = webhooks;
  return { ...webhooks, allowedDomains, allowedPorts, isRefused };
}

/** Only who delivers loads it. */
function lazySender({ webhooks }: ParsedOptions, { webhookSecrets = [] }: Settings): WebhookSender {
  const open = once(async () => {
    const { webhookSender } = await import("./engine/webhooks.ts");
    return webhookSender({ ...webhooks, secrets: webhookSecrets });
  });
  return { send: async (request) => (await open()).send(request) };
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
