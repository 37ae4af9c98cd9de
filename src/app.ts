/** What a user makes: an app of registered graphs. The only file where http, engine, core and postgres meet. */

import { randomUUID } from "node:crypto";
import { systemClock } from "./clock.ts";
import type { Checkpointer, Checkpointers } from "./core/execution.ts";
import { GraphRegistry, type GraphOptions } from "./core/graphs.ts";
import type { Doors, HttpFunction, HttpMethod, Invocation, JsonObject } from "./core/model.ts";
import type { Lease, RateLimiter } from "./core/ports.ts";
import { LEASE_MS, sweepRuns } from "./core/runs.ts";
import type { WakeUpQueue } from "./core/wake-ups.ts";
import { workMessage, type WorkDeps } from "./core/work.ts";
import { AppError } from "./errors.ts";
import { executeRun } from "./engine/execute.ts";
import { followThread, Journals } from "./engine/follow-thread.ts";
import { follow } from "./engine/follow.ts";
import { inProcessQueue } from "./engine/in-process-queue.ts";
import { toCommand } from "./engine/command.ts";
import { toPlain } from "./engine/plain.ts";
import { type InfoDeps, infoRoutes } from "./http/info.ts";
import { backgroundRoutes } from "./http/native-runs.ts";
import { graphRoutes, type NativeDeps } from "./http/native.ts";
import { protocolRoutes, type ProtocolRouteDeps } from "./http/protocol.ts";
import { createRouter, type Route } from "./http/router.ts";
import { runRoutes } from "./http/runs.ts";
import { systemRoutes } from "./http/system.ts";
import type { ThreadRouteDeps } from "./http/thread-route.ts";
import { threadRoutes } from "./http/threads.ts";
import { openLogger } from "./logger.ts";
import { parseOptions, type AppOptions, type ParsedOptions } from "./options.ts";
import { claimStore } from "./postgres/claims.ts";
import { commandStore } from "./postgres/commands.ts";
import { eventLog } from "./postgres/events.ts";
import { openDatabase, type Database } from "./postgres/pool.ts";
import { runStore } from "./postgres/runs.ts";
import { ping } from "./postgres/sql.ts";
import { threadLog } from "./postgres/thread-log.ts";
import { threadStateStore, threadStore } from "./postgres/threads.ts";
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
    const { authLevel } = this.#options;
    return [
      ...this.#open().native.map(toFunction),
      { name: "platform_api", route: "{*path}", methods: ALL_METHODS, authLevel },
    ];
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

function assemble(options: ParsedOptions, graphs: GraphRegistry, host: Host, shutdown: AbortSignal): OpenApp {
  const settings = host.settings ?? readSettings();
  const logger = options.logger ?? openLogger(settings.logLevel);
  const database = openDatabase(settings.database);
  const claims = claimStore(database);
  const journals = new Journals();
  const log = threadLog(database);
  const events = eventLog(database);
  const shared = {
    claims,
    clock: systemClock,
    newId: randomUUID,
    checkpointers: checkpointers(database),
    logger,
  };
  const work = async (message: object): Promise<void> =>
    workMessage(deps, message, { signal: shutdown, authLevel: "admin" });
  const queue = host.queue ?? inProcessQueue(systemClock, work, shutdown);
  const executing = { ...shared, events, graphs, queue, journals, shutdown, leaseMs: LEASE_MS };
  const following = { events, log, clock: systemClock, journals };
  const deps: WorkDeps & typeof shared = {
    ...shared,
    queue,
    runs: runStore(database),
    running: new Set(),
    engine: {
      execute: async (run, limits) => executeRun(executing, run, limits),
      follow: (run, after, signal) => follow(following, run, after, signal),
    },
  };
  const threads = { threads: threadStore(database), threadStates: threadStateStore(database) };
  const pingDatabase = async (): Promise<void> => ping(database);
  const protocol: Pick<ProtocolRouteDeps, "commands" | "log" | "shutdown" | "followThread"> = {
    commands: commandStore(database),
    log,
    shutdown,
    followThread: (threadId, from, signal) => followThread(following, threadId, from, signal),
  };
  const { native, platform } = makeRoutes(options, graphs, {
    ...deps,
    ...threads,
    ...protocol,
    pingDatabase,
  });
  const routes = [...native, ...platform];
  const limiter = once(async () => rateLimiter(database, options));
  return {
    database,
    native,
    running: deps.running,
    doors: {
      fetch: createRouter({ routes, prefix: options.routePrefix, logger, limiter }),
      work: async (message, invocation) => workMessage(deps, message, invocation),
      tick: async () => sweepRuns(deps),
    },
  };
}

function makeRoutes(
  options: ParsedOptions,
  graphs: GraphRegistry,
  deps: Omit<NativeDeps, "limits" | "streaming" | "maxStreamResponseBytes" | "toPlain"> &
    Pick<ThreadRouteDeps, "threads" | "threadStates"> &
    Pick<ProtocolRouteDeps, "commands" | "log" | "shutdown" | "followThread"> &
    InfoDeps,
): { readonly native: readonly Route[]; readonly platform: readonly Route[] } {
  const { title, description, limits, streaming, maxStreamResponseBytes, authLevel, healthListsGraphs } =
    options;
  const serving = { ...deps, limits, streaming, maxStreamResponseBytes, toPlain };
  const platform = [
    ...threadRoutes({ ...deps, graphs, limits, authLevel, toPlain, toCommand }),
    ...runRoutes({ ...serving, graphs: () => graphs.list() }, authLevel),
    ...protocolRoutes({ ...serving, graphs, toCommand }, authLevel),
    ...infoRoutes(deps),
  ];
  const native: Route[] = graphs
    .list()
    .flatMap((graph) => [...graphRoutes(serving, graph), ...backgroundRoutes(serving, graph)]);
  const openApi = once(async () => {
    const { openApiDocument } = await import("./http/openapi.ts");
    return openApiDocument({ title, description, version: VERSION }, [...native, ...platform]);
  });
  native.push(...systemRoutes({ graphs: () => graphs.list(), authLevel, healthListsGraphs, title, openApi }));
  return { native, platform };
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
