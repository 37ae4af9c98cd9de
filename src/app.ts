/** What a user makes: an app of registered graphs. The only file where http, engine, core and postgres meet. */

import { randomInt, randomUUID } from "node:crypto";
import { systemClock } from "./clock.ts";
import type { Checkpointer, Checkpointers } from "./core/execution.ts";
import { GraphRegistry, type GraphOptions } from "./core/graphs.ts";
import type { Doors, HttpFunction, HttpMethod, Invocation, JsonObject } from "./core/model.ts";
import type { Lease, RateLimiter } from "./core/ports.ts";
<<<0
import type { RunAssistantDeps } from "./core/run-assistants.ts";
import { LEASE_MS, sweepRuns } from "./core/runs.ts";
import { sweepStore, type StoreDeps } from "./core/store.ts";
===
import { claimsWithAlarm, openAlarm, runsWithAlarm } from "./core/alarm.ts";
import { LEASE_MS } from "./core/runs.ts";
import { tick, type TickDeps } from "./core/tick.ts";
>>>
import type { WakeUpQueue } from "./core/wake-ups.ts";
import type { WebhookPolicy, WebhookSender } from "./core/webhooks.ts";
import { workMessage } from "./core/work.ts";
import { AppError } from "./errors.ts";
<<<1
import { graphInspector } from "./engine/drawings.ts";
===
import { isPublicAddress, literalAddress } from "./engine/addresses.ts";
>>>
import { executeRun } from "./engine/execute.ts";
import { follow } from "./engine/follow.ts";
import { inProcessQueue } from "./engine/in-process-queue.ts";
import type { Journal } from "./engine/journal.ts";
import { toCommand } from "./engine/command.ts";
import { toPlain } from "./engine/plain.ts";
<<<2
import type { AssistantRouteDeps } from "./http/assistant-route.ts";
import { assistantRoutes } from "./http/assistants.ts";
===
import { cronRequest, cronRoutes, type CronRouteDeps } from "./http/crons.ts";
>>>
import { type InfoDeps, infoRoutes } from "./http/info.ts";
import { backgroundRoutes } from "./http/native-runs.ts";
import { withCors } from "./http/cors.ts";
import { isServed } from "./http/features.ts";
import { graphRoutes, type NativeDeps } from "./http/native.ts";
import { errorResponse } from "./http/respond.ts";
import { createRouter, type Route, type RouterOptions } from "./http/router.ts";
import { runRoutes } from "./http/runs.ts";
import { storeRoutes, type StoreRouteDeps } from "./http/store.ts";
import { systemRoutes } from "./http/system.ts";
import type { ThreadRouteDeps } from "./http/thread-route.ts";
import { threadRoutes } from "./http/threads.ts";
import { openLogger } from "./logger.ts";
<<<3
import { isCustomApp, parseOptions, type AppOptions, type ParsedOptions } from "./options.ts";
import { assistantStore, assistantVersionStore } from "./postgres/assistants.ts";
===
import { parseOptions, type AppOptions, type ParsedOptions } from "./options.ts";
import { agenda, retention } from "./postgres/agenda.ts";
>>>
import { claimStore } from "./postgres/claims.ts";
import { cronCalendar, cronStore } from "./postgres/crons.ts";
import { eventLog } from "./postgres/events.ts";
import { keyStore } from "./postgres/idempotency.ts";
import { openDatabase, type Database } from "./postgres/pool.ts";
import { runStore } from "./postgres/runs.ts";
import { ping } from "./postgres/sql.ts";
import { itemStore } from "./postgres/store.ts";
import { threadStateStore, threadStore } from "./postgres/threads.ts";
import { webhookStore } from "./postgres/webhooks.ts";
import { readSettings, type Settings } from "./settings.ts";
import { VERSION } from "./version.ts";

export interface GraphInfo {
  readonly name: string;
  readonly description: string | undefined;
  readonly example: unknown;
}

const ALL_METHODS: readonly HttpMethod[] = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"];

/**
 * Graphs, and how they are served. `serveLocally(app)`, `serveOnAzure(app)` and `serveOnLambda(app)` serve it; so does
 * any web framework that calls `app.fetch`.
 */
export class LangGraphApp implements AsyncDisposable {
  readonly #options: ParsedOptions;
  readonly #graphs = new GraphRegistry();
  readonly #shutdown = new AbortController();
  #opened: OpenApp | undefined;

  /** @throws TypeError that names each option that is wrong */
  constructor(options: AppOptions = {}) {
    this.#options = parseOptions(options);
  }

  /** @throws TypeError that says what is wrong with the options and what to do */
  register(options: GraphOptions): this {
    if (this.#opened !== undefined) {
      throw new TypeError(
        `register("${options.name}"): the app is serving already; register every graph before that.`,
      );
    }
    this.#graphs.add(options, { authLevel: this.#options.authLevel });
    return this;
  }

  /** The registered graphs; `example` is the first of the examples that the input schema's metadata has. */
  get graphs(): readonly GraphInfo[] {
    return this.#graphs.list().map(({ name, description, inputSchema }) => {
      const examples: unknown = inputSchema?.meta()?.["examples"];
      return {
        name,
        description,
        example: Array.isArray(examples) ? (examples.at(0) as unknown) : undefined,
      };
    });
  }

  /** The path below which everything is served: `/api`. */
  get path(): string {
    const { routePrefix } = this.#options;
    return routePrefix === "" ? "" : `/${routePrefix}`;
  }

  /**
   * Answers a request inside a web framework. That host has checked its callers; what it grants them here is
   * `authLevel`, by default no more than `anonymous`. Never rejects.
   */
  async fetch(request: Request, invocation: Partial<Invocation> = {}): Promise<Response> {
    return this.doors().fetch(request, { signal: request.signal, authLevel: "anonymous", ...invocation });
  }

  /** The HTTP functions for hosts that register each endpoint; the last one takes what the others do not. */
  functions(): readonly HttpFunction[] {
    return [...this.#open().native.map(toFunction), ...catchAll(this.#options)];
  }

  /** What a function host calls. The first call needs what the host brings; nothing is connected until something is asked. */
  doors(host: Host = {}): Doors {
    return this.#open(host).doors;
  }

  /** Connects to the database and brings its schema up to date; the first request would do it otherwise. @throws AppError `unavailable` */
  async ready(settings?: Settings): Promise<void> {
    await this.#open(settings === undefined ? {} : { settings }).database.ready();
  }

  /** Stops what is running, waits for its end, and closes the database connections. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#shutdown.abort(new AppError("unavailable", "The server is stopping"));
    if (this.#opened === undefined) return;
    await Promise.allSettled(this.#opened.running);
    await this.#opened.database[Symbol.asyncDispose]();
  }

  #open(host: Host = {}): OpenApp {
    this.#opened ??= assemble(this.#options, this.#graphs, host, this.#shutdown.signal);
    return this.#opened;
  }
}

/** What a function host brings. */
interface Host {
  /** By default those of the environment. */
  readonly settings?: Settings;
  /** By default one in this process, which is only good where the process lives on between requests. */
  readonly queue?: WakeUpQueue;
}

/** An app that serves: its parts, put together. */
interface OpenApp {
  readonly doors: Doors;
  /** The routes that hosts register one by one; the Platform's are behind the catch-all. */
  readonly native: readonly Route[];
  readonly database: Database;
  readonly running: ReadonlySet<Promise<unknown>>;
}

/** If no setting says otherwise. */
const EVENT_RETENTION_MS = 86_400_000;

function assemble(options: ParsedOptions, graphs: GraphRegistry, host: Host, shutdown: AbortSignal): OpenApp {
  const settings = host.settings ?? readSettings();
  for (const [name, defaults] of settings.graphDefaults ?? []) graphs.configure(name, defaults);
  const logger = options.logger ?? openLogger(settings.logLevel);
  const database = openDatabase(settings.database);
  const running = new Set<Promise<unknown>>();
  const work = async (message: object): Promise<void> =>
    workMessage(deps, message, { signal: shutdown, authLevel: "admin" });
  const queue = host.queue ?? inProcessQueue(systemClock, work, shutdown);
  const { leaseMs = LEASE_MS, eventRetentionMs = EVENT_RETENTION_MS } = settings;
  const isExecuting = (): boolean => running.size > 0;
  const alarm = openAlarm({ queue, clock: systemClock, logger, leaseMs, isExecuting });
  const journals = new Map<string, Journal>();
  const { ttl, index } = options.store;
  const store: StoreDeps = { items: itemStore(database, index?.dims), clock: systemClock, ttl, index };
  const shared = {
    claims: claimsWithAlarm(claimStore(database), alarm),
    queue,
    leaseMs,
    clock: systemClock,
    newId: randomUUID,
    checkpointers: checkpointers(database),
    graphStore: graphStore(store),
    logger,
  };
  const executing = { ...shared, graphs, journals, shutdown };
  const following = { events: eventLog(database), clock: systemClock, journals };
  const deps: TickDeps & typeof shared = {
    ...shared,
    runs: runsWithAlarm(runStore(database), alarm),
    running,
    keys: keyStore(database),
    graphs,
    threads: threadStore(database),
    threadStates: threadStateStore(database),
    ...webhookParts(options, settings, database),
    engine: {
      execute: async (run, limits) => executeRun(executing, run, limits),
      follow: (run, after, signal) => follow(following, run, after, signal),
    },
    agenda: agenda(database),
    retention: retention(database),
    eventRetentionMs,
    calendar: cronCalendar(database),
    requestOf: async (cron) =>
      cronRequest({ graphs: () => graphs.list(), webhookPolicy: webhookPolicy(options) }, cron),
  };
<<<4
  const stores = {
    threads: threadStore(database),
    threadStates: threadStateStore(database),
    assistants: assistantStore(
      database,
      graphs.list().map(({ name }) => name),
    ),
    assistantVersions: assistantVersionStore(database),
    changed: new Set<string>(),
  };
  const pingDatabase = async (): Promise<void> => ping(database);
  const { native, platform } = makeRoutes(options, graphs, { ...deps, ...stores, store, pingDatabase });
===
  const pingDatabase = async (): Promise<void> => ping(database);
  const crons = cronStore(database);
  const { native, platform } = makeRoutes(options, graphs, { ...deps, crons, pingDatabase });
>>>
  const routes = [...native, ...platform];
  const limiter = once(async () => rateLimiter(database, options));
  return {
    database,
    native,
    running: deps.running,
    doors: {
      fetch: openFetch(options, { routes, prefix: options.routePrefix, logger, limiter }),
      work: async (message, invocation) => workMessage(deps, message, invocation),
<<<5
      tick: async () => {
        const report = await sweepRuns(deps);
        await sweepStore(store);
        return report;
      },
===
      tick: async (invocation) => tick(deps, invocation),
>>>
    },
  };
}

function makeRoutes(
  options: ParsedOptions,
  graphs: GraphRegistry,
  deps: Omit<NativeDeps, "limits" | "streaming" | "maxStreamResponseBytes" | "toPlain"> &
<<<6
    Pick<
      AssistantRouteDeps & ThreadRouteDeps,
      "threads" | "threadStates" | "assistants" | "assistantVersions" | "graphStore"
    > &
    Pick<RunAssistantDeps, "changed"> &
    Pick<StoreRouteDeps, "store"> &
===
    Pick<ThreadRouteDeps, "threads" | "threadStates"> &
    Pick<CronRouteDeps, "crons"> &
>>>
    InfoDeps,
): { readonly native: readonly Route[]; readonly platform: readonly Route[] } {
  const { title, description, limits, streaming, maxStreamResponseBytes, authLevel, healthListsGraphs } =
    options;
  const serving = { ...deps, limits, streaming, maxStreamResponseBytes, toPlain };
<<<7
  const isEnabled = (route: Route): boolean => isServed(route, options.disable);
  const platform = [
    ...threadRoutes({ ...deps, graphs, limits, authLevel, toPlain, toCommand }),
    ...runRoutes({ ...serving, graphs }, authLevel),
    ...assistantRoutes({ ...deps, graphs, limits, authLevel, inspector: graphInspector }),
    ...storeRoutes({ store: deps.store, limits, authLevel }),
===
  const running = {
    ...serving,
    graphs: () => graphs.list(),
    webhookPolicy: webhookPolicy(options),
    configurableHeaders: options.configurableHeaders,
  };
  const platform = [
    ...threadRoutes({ ...deps, graphs, limits, authLevel, toPlain, toCommand }),
    ...cronRoutes(running, authLevel),
    ...runRoutes(running, authLevel),
>>>
    ...infoRoutes(deps),
  ].filter(isEnabled);
  const native: Route[] = graphs
    .list()
    .flatMap((graph) => [...graphRoutes(serving, graph), ...backgroundRoutes(serving, graph)]);
  const openApi = once(async () => {
    const { openApiDocument } = await import("./http/openapi.ts");
    return openApiDocument({ title, description, version: VERSION }, [...native, ...platform]);
  });
  const system = systemRoutes({ graphs: () => graphs.list(), authLevel, healthListsGraphs, title, openApi });
  native.push(...system.filter(isEnabled));
  return { native, platform };
}

/** The first door, with what the user has put before it. */
function openFetch({ cors, customRoutes, authLevel }: ParsedOptions, router: RouterOptions): Doors["fetch"] {
  const open = once(async () => {
    const app = typeof customRoutes === "function" ? await customRoutes() : customRoutes;
    if (!isCustomApp(app)) throw new TypeError("customRoutes: what was loaded has no fetch method");
    return createRouter({ ...router, custom: { app, authLevel } });
  });
  const withCustomRoutes: Doors["fetch"] = async (request, invocation) => {
    try {
      return await (
        await open()
      )(request, invocation);
    } catch (error) {
      return errorResponse(error, router.logger);
    }
  };
  const fetch = customRoutes === undefined ? createRouter(router) : withCustomRoutes;
  return cors === undefined ? fetch : withCors(cors, fetch);
}

/** What no function of its own takes; preflights carry no key, so that the host must let them pass. */
function catchAll({ authLevel, cors }: ParsedOptions): readonly HttpFunction[] {
  const route = "{*path}";
  if (cors === undefined) return [{ name: "platform_api", route, methods: ALL_METHODS, authLevel }];
  const methods = ALL_METHODS.filter((method) => method !== "OPTIONS");
  return [
    { name: "platform_api", route, methods, authLevel },
    { name: "platform_api_preflight", route, methods: ["OPTIONS"], authLevel: "anonymous" },
  ];
}

/** LangChain is loaded, and the database made ready, when the first graph needs it. */
function checkpointers(database: Database): Checkpointers {
  const durable = async (lease?: Lease, metadata?: JsonObject): Promise<Checkpointer> => {
    const [{ Checkpointer: PostgresCheckpointer }] = await Promise.all([
      import("./postgres/checkpoints.ts"),
      database.ready(),
    ]);
    return new PostgresCheckpointer(database, lease, metadata);
  };
  return {
    forRun: durable,
    forThread: async () => durable(),
  };
}

<<<8
/** LangChain is loaded when the first graph needs it. */
function graphStore(store: StoreDeps): () => Promise<object> {
  return once(async () => {
    const { GraphStore } = await import("./engine/store.ts");
    return new GraphStore(store);
  });
===
function webhookPolicy({ webhooks }: ParsedOptions): WebhookPolicy {
  const isRefused = (url: URL): boolean => {
    const address = webhooks.allowPrivateAddresses ? undefined : literalAddress(url);
    return address !== undefined && !isPublicAddress(address);
  };
  return {
    ...webhooks,
    allowedDomains: webhooks.allowedDomains,
    allowedPorts: webhooks.allowedPorts,
    isRefused,
  };
}

function webhookParts(options: ParsedOptions, settings: Settings, database: Database) {
  return {
    webhooks: webhookStore(database),
    sender: lazySender(options, settings),
    chance: () => randomInt(1_000) / 1_000,
    retrySeconds: options.webhooks.retrySeconds,
  };
}

/** Only who delivers loads it. */
function lazySender({ webhooks }: ParsedOptions, { webhookSecrets = [] }: Settings): WebhookSender {
  const open = once(async () => {
    const { webhookSender } = await import("./engine/webhooks.ts");
    return webhookSender({ ...webhooks, secrets: webhookSecrets });
  });
  return { send: async (request) => (await open()).send(request) };
>>>
}

async function rateLimiter(
  database: Database,
  { rateLimit }: ParsedOptions,
): Promise<RateLimiter | undefined> {
  if (rateLimit === undefined) return undefined;
  const { rateLimiter: open } = await import("./postgres/rate-limits.ts");
  return open(database, rateLimit);
}

function toFunction({ docs, path, method, authLevel }: Route): HttpFunction {
  return { name: docs.operationId, route: path.slice(1), methods: [method], authLevel };
}

/** Asks once and keeps the answer; asks again after a failure. */
function once<T>(ask: () => Promise<T>): () => Promise<T> {
  let answer: Promise<T> | undefined;
  return () => {
    answer ??= ask().catch((error: unknown) => {
      answer = undefined;
      throw error;
    });
    return answer;
  };
}
