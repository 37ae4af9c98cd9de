/** What a user makes: an app of registered graphs. Here, with its parts and routes, http, engine, core and postgres meet. */

import { openParts, type AppParts, type Host } from "./app-parts.ts";
import { makeRoutes, openFetch } from "./app-routes.ts";
import { GraphRegistry, type GraphOptions } from "./core/graphs.ts";
import type { ResumeLink } from "./core/resume-links.ts";
import type { Doors, HttpFunction, HttpMethod, Invocation } from "./core/model.ts";
import type { Logger } from "./core/logger.ts";
import { tick } from "./core/tick.ts";
import { workMessage } from "./core/work.ts";
import { AppError } from "./errors.ts";
import { duringRequest } from "./http/request-id.ts";
import type { ResumeLinkOptions } from "./http/resume-links.ts";
import type { Route } from "./http/router.ts";
import { parseOptions, type AppOptions, type ParsedOptions } from "./options.ts";
import { once } from "./once.ts";
import { wantsTelemetry, type Settings } from "./settings.ts";

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

  /** Whether callers sign in; `auth: "none"` says that they are not to. */
  get hasAuth(): boolean {
    return this.#options.auth !== undefined;
  }

  /**
   * What a function host in the cloud asks before it serves the app.
   * @throws TypeError when all of the internet could use it, and that was not said to be meant
   */
  checkDeployable(): void {
    const { auth, authLevel, allowStudio } = this.#options;
    if (auth === undefined && authLevel === "anonymous") {
      throw new TypeError(
        'new LangGraphApp(): authLevel "anonymous" lets everybody on the internet in. Give the app an auth, or the authLevel "function"; or write auth: "none", if that is meant.',
      );
    }
    if (allowStudio)
      throw new TypeError(
        "new LangGraphApp(): allowStudio lets everybody in who says that they are LangGraph Studio; it is for development.",
      );
  }

  /** The path below which everything is served: `/api`. */
  get path(): string {
    const { routePrefix } = this.#options;
    return routePrefix === "" ? "" : `/${routePrefix}`;
  }

  /**
   * Answers a request inside a web framework. That host has checked its callers; what it grants them here is
   * `authLevel`, by default no more than `anonymous`. What goes wrong is an answer, too; it rejects only where `doors`
   * throws. Call `doors()` or `ready()` when your server starts, and it is known then.
   */
  async fetch(request: Request, invocation: Partial<Invocation> = {}): Promise<Response> {
    return this.doors().fetch(request, { signal: request.signal, authLevel: "anonymous", ...invocation });
  }

  /**
   * A link with which a person, without an account, answers an interrupt that the thread waits at: for the mail or the
   * chat message that your webhook receiver or route sends. It may be used once. Whether the thread may be answered for
   * whomever you do it for is for your code to know.
   * @throws AppError `not_found`, `not_interrupted`, `invalid_request`
   */
  async resumeLink(threadId: string, options: ResumeLinkOptions = {}): Promise<ResumeLink> {
    const { parts } = this.#open();
    const { resumeLinkFor } = await import("./http/resume-links.ts");
    const { limits, authLevel } = this.#options;
    return resumeLinkFor({ ...parts, limits, authLevel }, threadId, options);
  }

  /** The HTTP functions for hosts that register each endpoint; the last one takes what the others do not. */
  functions(): readonly HttpFunction[] {
    return [...this.#open().native.map(toFunction), ...catchAll(this.#options)];
  }

  /**
   * What a function host calls. The first call needs what the host brings; nothing is connected until something is asked.
   * @throws Error that lists each variable of the environment that is missing or wrong
   */
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
    const { running } = this.#opened;
    while (running.size > 0) await Promise.allSettled(running); // what they end may begin something
    await this.#opened.doors.flush(new AbortController().signal);
    await this.#opened.database[Symbol.asyncDispose]();
  }

  #open(host: Host = {}): OpenApp {
    this.#opened ??= openApp(this.#options, this.#graphs, host, this.#shutdown.signal);
    return this.#opened;
  }
}

/** An app that serves. */
interface OpenApp extends Pick<AppParts, "database" | "running"> {
  readonly parts: AppParts;
  readonly doors: Doors;
  /** The routes that hosts register one by one; the Platform's are behind the catch-all. */
  readonly native: readonly Route[];
}

function openApp(options: ParsedOptions, graphs: GraphRegistry, host: Host, shutdown: AbortSignal): OpenApp {
  const parts = openParts(options, graphs, host, shutdown);
  const routes = makeRoutes(options, graphs, parts);
  const { database, running } = parts;
  return {
    parts,
    database,
    running,
    native: routes.native,
    doors: whenTelemetryStarted(parts.logger, {
      fetch: openFetch(options, routes, parts),
      work: async (message, invocation) =>
        duringRequest(invocation.requestId, async () => workMessage(parts, message, invocation)),
      tick: async (invocation) => duringRequest(invocation.requestId, async () => tick(parts, invocation)),
      flush: parts.flush,
      report: (err, requestId) =>
        void duringRequest(requestId, async () =>
          parts.logger.error({ err }, "A response could not be sent"),
        ),
    }),
  };
}

/** The first call must not be the one that nobody sees. */
function whenTelemetryStarted(logger: Logger, doors: Doors): Doors {
  if (!wantsTelemetry()) return doors;
  const started = once(async () => {
    const { startTelemetry } = await import("./telemetry-sdk.ts");
    await startTelemetry(logger);
  });
  return {
    ...doors,
    fetch: async (request, invocation) => started().then(async () => doors.fetch(request, invocation)),
    work: async (message, invocation) => started().then(async () => doors.work(message, invocation)),
    tick: async (invocation) => started().then(async () => doors.tick(invocation)),
  };
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

function toFunction({ docs, path, method, authLevel }: Route): HttpFunction {
  return { name: docs.operationId, route: path.slice(1), methods: [method], authLevel };
}
