/** The span of a request, and how long it took. @see https://opentelemetry.io/docs/specs/semconv/http/http-spans/ */

import { AsyncLocalStorage } from "node:async_hooks";
import type { Clock } from "../clock.ts";
import type { Doors, Invocation } from "../core/model.ts";
import { hasTracerProvider, isWithinSpan, startSpan, type Span, type TraceContext } from "../telemetry.ts";
import { hasMeterProvider, measure } from "../telemetry-metrics.ts";

const current = new AsyncLocalStorage<RequestSpan>();

/** Of others, there may be any number. */
const METHODS = new Set([
  "CONNECT",
  "DELETE",
  "GET",
  "HEAD",
  "OPTIONS",
  "PATCH",
  "POST",
  "PUT",
  "QUERY",
  "TRACE",
]);

/** Callers may send kilobytes. */
const LONGEST_TEXT = 256;

/** Goes on with the trace that the host, or else the client, has begun. A stream is a part of its request to the end. */
export function withRequestSpan(fetch: Doors["fetch"], clock: Clock): Doors["fetch"] {
  return async (request, invocation) => {
    if (!hasTracerProvider() && !hasMeterProvider()) return fetch(request, invocation);
    const watched = new RequestSpan(request, invocation, clock);
    const response = await watched.during(async () => fetch(request, invocation));
    watched.answered(response.status);
    return response;
  };
}

/** To be told which route takes the request: `/api/threads/{thread_id}/state`. */
export function routeIs(template: string): void {
  current.getStore()?.routeIs(template);
}

/** The request goes on after its answer has begun, until what this returns is called. */
export function holdRequestSpan(): () => void {
  return current.getStore()?.hold() ?? (() => undefined);
}

class RequestSpan {
  readonly #span: Span;
  readonly #clock: Clock;
  readonly #begunAt: Date;
  readonly #url: URL;
  /** Who listens to the request in front of us measures it, too. */
  readonly #isInner: boolean;
  readonly #method: string;
  /** What the span's name begins with. */
  readonly #word: string;
  #route: string | undefined;
  #status: number | undefined;
  #holds = 0;

  constructor(request: Request, invocation: Invocation, clock: Clock) {
    this.#clock = clock;
    this.#begunAt = clock.now();
    this.#url = new URL(request.url);
    this.#isInner = isWithinSpan();
    const isKnown = METHODS.has(request.method);
    this.#method = isKnown ? request.method : "_OTHER";
    this.#word = isKnown ? request.method : "HTTP";
    this.#span = startSpan(this.#word, {
      kind: this.#isInner ? "internal" : "server",
      attributes: {
        "http.request.method": this.#method,
        "http.request.method_original": isKnown ? undefined : request.method.slice(0, LONGEST_TEXT),
        "url.scheme": this.#scheme,
        "server.address": this.#url.hostname,
        "server.port": this.#url.port === "" ? undefined : Number(this.#url.port),
        "user_agent.original": request.headers.get("user-agent")?.slice(0, LONGEST_TEXT),
      },
      origin: invocation.traceContext ?? clientsTrace(request),
    });
  }

  async during<T>(work: () => Promise<T>): Promise<T> {
    return current.run(this, async () => this.#span.within(work));
  }

  /** Of what is none of our routes, the path is not told: who knows what it has in it. */
  routeIs(template: string): void {
    this.#route = template;
    this.#span.rename(`${this.#word} ${template}`);
    this.#span.set({
      "http.route": template,
      "url.path": SECRET_PARAMETER.test(template) ? template : this.#url.pathname,
    });
  }

  answered(status: number): void {
    this.#status = status;
    this.#span.set({ "http.response.status_code": status });
    if (status >= 500) this.#span.fail(undefined, String(status));
    if (this.#holds === 0) this.#end(status);
  }

  hold(): () => void {
    this.#holds += 1;
    return () => {
      this.#holds -= 1;
      if (this.#holds === 0 && this.#status !== undefined) this.#end(this.#status);
    };
  }

  get #scheme(): string {
    return this.#url.protocol.slice(0, -1);
  }

  #end(status: number): void {
    this.#span.end();
    if (this.#isInner) return;
    const seconds = Math.max(0, this.#clock.now().getTime() - this.#begunAt.getTime()) / 1_000;
    measure("http.server.request.duration", seconds, {
      "http.request.method": this.#method,
      "url.scheme": this.#scheme,
      "http.response.status_code": status,
      ...(this.#route === undefined ? {} : { "http.route": this.#route }),
      ...(status >= 500 ? { "error.type": String(status) } : {}),
    });
  }
}

/** Of a resume link: who has it may answer. */
const SECRET_PARAMETER = /\{token\}/;

function clientsTrace({ headers }: Request): TraceContext | undefined {
  const traceparent = headers.get("traceparent");
  return traceparent === null
    ? undefined
    : { traceparent, tracestate: headers.get("tracestate") ?? undefined };
}
