/**
 * Traces by OpenTelemetry, for whichever provider the process has registered; without one, next to nothing happens.
 * With telemetry-metrics.ts and telemetry-sdk.ts the only importer of its packages. Its API finds providers through a
 * global object by design, so these are functions and no dependency that is handed around. No inputs, outputs or messages of
 * errors go into spans: what an error says may quote them, so only its type is told.
 */

import { AsyncLocalStorage } from "node:async_hooks";
import {
  context,
  createTraceState,
  metrics,
  isSpanContextValid,
  ProxyTracerProvider,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  trace,
  TraceFlags,
  type Attributes,
  type Context,
  type Link,
  type Span as RecordedSpan,
} from "@opentelemetry/api";
import { waitAtMost } from "./bounded-wait.ts";
import type { Clock } from "./clock.ts";
import { AppError } from "./errors.ts";
import { harmless } from "./telemetry-harmless.ts";
import { VERSION } from "./version.ts";

/** Ids and figures, and words of ours or names that developers give. What is undefined is left out. */
export type SpanAttributes = Readonly<Record<string, string | number | boolean | undefined>>;

/** Where a trace comes from, as headers have it. @see https://www.w3.org/TR/trace-context/ */
export interface TraceContext {
  readonly traceparent: string;
  readonly tracestate?: string | undefined;
}

export interface SpanOptions {
  /** By default none of these: something that happens within the process. */
  readonly kind?: keyof typeof KINDS;
  readonly attributes?: SpanAttributes;
  /** What it is a part of; by default the span in which it is asked for. Null begins a trace of its own. */
  readonly parent?: TraceContext | null | undefined;
  /** What it is a part of if no span is active. */
  readonly origin?: TraceContext | undefined;
  /** What has to do with it in other traces. */
  readonly links?: readonly (TraceContext | undefined)[];
  /** When it began, if that was before now: a `moment`. */
  readonly begunAt?: number;
}

/** Nothing of it throws, whatever the provider does, nor does anything after `end` have an effect. */
export interface Span {
  /** Whether anybody will see it. */
  readonly isRecording: boolean;
  readonly rename: (name: string) => void;
  readonly set: (attributes: SpanAttributes) => void;
  /** Marks it as failed, with the type of the error, or what stands for it. */
  readonly fail: (error: unknown, type?: string) => void;
  /** Now, or at a `moment` before. */
  readonly end: (at?: number) => void;
  /** A part of it, whatever is active meanwhile. */
  readonly child: (name: string, attributes: SpanAttributes) => Span;
  /** What is begun within `work` is a part of it, spans of the user's own included if a context manager is registered. */
  readonly within: <T>(work: () => T) => T;
}

const KINDS = {
  internal: SpanKind.INTERNAL,
  server: SpanKind.SERVER,
  client: SpanKind.CLIENT,
  producer: SpanKind.PRODUCER,
  consumer: SpanKind.CONSUMER,
};

const SCOPE = "langgraph-functions";
/** A collector that is away must not make every invocation longer by more than this. */
const MAX_FLUSH_MS = 5_000;

/** The API's own way to carry the active span along is silent unless a context manager is registered. */
const own = new AsyncLocalStorage<OpenSpan>();

/** What stands for no provider. */
const NOBODY = new ProxyTracerProvider().getDelegate();

/** Behind the API's stand-in for it, which may be that of another copy of the API: layers bring one of their own. */
function provider(): object {
  const registered: object = trace.getTracerProvider();
  return isProxy(registered) ? registered.getDelegate() : registered;
}

function isProxy(one: object): one is Pick<ProxyTracerProvider, "getDelegate"> {
  return "getDelegate" in one && typeof one.getDelegate === "function";
}

export function hasTracerProvider(): boolean {
  return provider() !== NOBODY;
}

/** Runs `work` in a span that ends when it does, and is marked as failed if it rejects. */
export async function inSpan<T>(
  name: string,
  options: SpanOptions,
  work: (span: Span) => Promise<T>,
): Promise<T> {
  const span = startSpan(name, options);
  try {
    return await span.within(async () => work(span));
  } catch (error) {
    span.fail(error);
    throw error;
  } finally {
    span.end();
  }
}

/** A span that the caller ends. */
export function startSpan(name: string, options: SpanOptions = {}): Span {
  if (!hasTracerProvider()) return SILENT;
  return harmless(() => open(name, options, parentOf(options)), SILENT);
}

function open(
  name: string,
  { kind = "internal", attributes = {}, links = [], begunAt }: SpanOptions,
  parent: Context,
): Span {
  const span = trace.getTracer(SCOPE, VERSION).startSpan(
    name,
    {
      kind: KINDS[kind],
      attributes: defined(attributes),
      links: linksTo(links, parent),
      ...(begunAt === undefined ? {} : { startTime: begunAt }),
    },
    parent,
  );
  return isSpanContextValid(span.spanContext()) ? new OpenSpan(span, trace.setSpan(parent, span)) : SILENT;
}

/** The span that we have begun last, of those that `work` is within. */
export function currentSpan(): Span {
  return own.getStore() ?? SILENT;
}

/** Nothing that `work` begins is a part of what is active here. */
export function outsideSpans<T>(work: () => T): T {
  return own.exit(() => context.with(ROOT_CONTEXT, work));
}

/** Whether what is begun now is a part of a span of this process, be it ours or not. */
export function isWithinSpan(): boolean {
  const span = trace.getSpanContext(active());
  return span !== undefined && span.isRemote !== true;
}

export interface ActiveTrace extends TraceContext {
  readonly trace_id: string;
  readonly span_id: string;
}

/** The names of the active span; undefined where there is none. */
export function activeTrace(): ActiveTrace | undefined {
  const span = trace.getSpanContext(active());
  if (span === undefined || !isSpanContextValid(span)) return undefined;
  const { traceId: trace_id, spanId: span_id, traceFlags } = span;
  const flags = traceFlags.toString(16).padStart(2, "0");
  return { trace_id, span_id, traceparent: `00-${trace_id}-${span_id}-${flags}` };
}

/** A time for `end` and `begunAt`, finer than a clock's. */
export function moment(): number {
  return performance.now();
}

/** The class of an error, or its code if it is one of ours. */
export function errorType(error: unknown): string {
  if (error instanceof AppError) return error.code;
  const name = error instanceof Error ? error.name : typeof error;
  return /^[\w.$-]{1,80}$/.test(name) ? name : "Error";
}

/** Whether what was recorded was delivered or lost within a time that is sensible. Never rejects. */
export async function flushTelemetry(clock: Clock, signal: AbortSignal): Promise<boolean> {
  const flushing = [provider(), metrics.getMeterProvider()].filter(canFlush);
  if (flushing.length === 0) return true;
  const flushed = Promise.allSettled(flushing.map(async (one) => one.forceFlush()));
  return waitAtMost(MAX_FLUSH_MS, flushed, { clock, signal });
}

function canFlush(one: object): one is { readonly forceFlush: () => Promise<void> } {
  return "forceFlush" in one && typeof one.forceFlush === "function";
}

class OpenSpan implements Span {
  readonly context: Context;
  readonly #span: RecordedSpan;

  constructor(span: RecordedSpan, within: Context) {
    this.#span = span;
    this.context = within;
  }

  get isRecording(): boolean {
    return harmless(() => this.#span.isRecording(), false);
  }

  rename(name: string): void {
    harmless(() => this.#span.updateName(name), undefined);
  }

  set(attributes: SpanAttributes): void {
    harmless(() => this.#span.setAttributes(defined(attributes)), undefined);
  }

  fail(error: unknown, type = errorType(error)): void {
    harmless(() => {
      this.#span.setStatus({ code: SpanStatusCode.ERROR });
      this.#span.setAttribute("error.type", type);
      if (error instanceof Error) this.#span.addEvent("exception", { "exception.type": type });
    }, undefined);
  }

  end(at?: number): void {
    harmless(() => this.#span.end(at), undefined);
  }

  child(name: string, attributes: SpanAttributes): Span {
    return harmless(() => open(name, { attributes }, this.context), SILENT);
  }

  within<T>(work: () => T): T {
    return own.run(this, () => context.with(this.context, work));
  }
}

const SILENT: Span = {
  isRecording: false,
  rename: () => undefined,
  set: () => undefined,
  fail: () => undefined,
  end: () => undefined,
  child: () => SILENT,
  within: (work) => work(),
};

function active(): Context {
  const registered = context.active();
  return trace.getSpanContext(registered) === undefined
    ? (own.getStore()?.context ?? registered)
    : registered;
}

function parentOf({ parent, origin }: SpanOptions): Context {
  if (parent !== undefined) return parent === null ? ROOT_CONTEXT : remote(ROOT_CONTEXT, parent);
  const here = active();
  return origin === undefined || trace.getSpanContext(here) !== undefined ? here : remote(here, origin);
}

function remote(here: Context, from: TraceContext): Context {
  const span = parsed(from);
  return span === undefined ? here : trace.setSpanContext(here, span);
}

/** Later versions may say more, after another hyphen. */
const TRACEPARENT = /^(?!ff)[\da-f]{2}-([\da-f]{32})-([\da-f]{16})-([\da-f]{2})(?:-.*)?$/;

function parsed({ traceparent, tracestate }: TraceContext): Link["context"] | undefined {
  const [, traceId = "", spanId = "", flags = ""] = TRACEPARENT.exec(traceparent) ?? [];
  const traceFlags = Number.parseInt(flags, 16) & TraceFlags.SAMPLED;
  const state = tracestate === undefined ? {} : { traceState: createTraceState(tracestate) };
  const span = { traceId, spanId, traceFlags, isRemote: true, ...state };
  return isSpanContextValid(span) ? span : undefined;
}

/** Of its own trace, a span need not be linked to anything. */
function linksTo(links: readonly (TraceContext | undefined)[], parent: Context): Link[] {
  const traceId = trace.getSpanContext(parent)?.traceId;
  const others = links.map((link) => (link === undefined ? undefined : parsed(link)));
  return others.flatMap((other) =>
    other === undefined || other.traceId === traceId ? [] : { context: other },
  );
}

function defined(attributes: SpanAttributes): Attributes {
  return Object.fromEntries(Object.entries(attributes).filter(([, value]) => value !== undefined));
}
