/** What the host and its worker process say to each other. The shapes inside are the worker protocol's own. */
import { randomBytes, randomUUID } from "node:crypto";
import type { IncomingHttpHeaders } from "node:http";

export interface Binding {
  readonly type: string;
  readonly direction: "in" | "out";
  readonly route?: string;
  readonly methods?: readonly string[];
  readonly authLevel?: string;
  readonly queueName?: string;
  readonly schedule?: string;
  readonly runOnStartup?: boolean;
  readonly connection?: string;
}

export interface RegisteredFunction {
  readonly name: string;
  readonly bindings: Readonly<Record<string, Binding>>;
}

export interface TypedData {
  readonly string?: string;
  readonly json?: string;
  readonly http?: object;
}

export interface InvocationRequest {
  readonly invocationId: string;
  readonly functionId: string;
  readonly inputData: readonly { readonly name: string; readonly data: TypedData }[];
  readonly triggerMetadata: Readonly<Record<string, TypedData>>;
  /** The host's own span of the invocation. */
  readonly traceContext: { readonly traceParent: string; readonly traceState: string };
}

export type ToWorker =
  | { readonly type: "invoke"; readonly functionName: string; readonly request: InvocationRequest }
  | { readonly type: "terminate" };

export type FromWorker =
  | { readonly type: "ready"; readonly functions: readonly RegisteredFunction[]; readonly httpUri?: string }
  | { readonly type: "failed"; readonly error: string }
  | { readonly type: "log"; readonly level: string; readonly category: string; readonly message: string }
  | {
      readonly type: "result";
      readonly invocationId: string;
      readonly error?: string;
      readonly returnValue?: unknown;
    };

export function triggerOf(fn: RegisteredFunction): { name: string; binding: Binding } {
  const entry = Object.entries(fn.bindings).find(([, binding]) =>
    binding.type.toLowerCase().endsWith("trigger"),
  );
  if (!entry) throw new Error(`Function "${fn.name}" has no trigger`);
  return { name: entry[0], binding: entry[1] };
}

const json = (value: unknown): TypedData => ({ json: JSON.stringify(value) });

function invocationRequest(
  fn: RegisteredFunction,
  data: TypedData,
  triggerMetadata: InvocationRequest["triggerMetadata"],
  traceparent = "",
): InvocationRequest {
  const inputData = [{ name: triggerOf(fn).name, data }];
  const [, traceId = randomBytes(16).toString("hex")] = /^00-([\da-f]{32})-/.exec(traceparent) ?? [];
  const traceParent = `00-${traceId}-${randomBytes(8).toString("hex")}-01`;
  return {
    invocationId: randomUUID(),
    functionId: fn.name,
    inputData,
    triggerMetadata,
    traceContext: { traceParent, traceState: "" },
  };
}

/** With streaming on, an HTTP invocation says nothing of the request but its headers, query and route parameters. */
export function httpInvocation(
  fn: RegisteredFunction,
  { headers, url }: { headers: IncomingHttpHeaders; url: URL },
  params: Readonly<Record<string, string>>,
): InvocationRequest {
  const route = Object.entries(params).map(([name, value]) => [name, { string: value }] as const);
  return invocationRequest(
    fn,
    { http: {} },
    {
      ...Object.fromEntries(route),
      Headers: json(joined(headers)),
      Query: json(Object.fromEntries(url.searchParams)),
    },
    String(headers["traceparent"] ?? ""),
  );
}

function joined(headers: IncomingHttpHeaders): Record<string, string> {
  const entries = Object.entries(headers).map(([name, value]) => [
    name,
    Array.isArray(value) ? value.join(",") : value,
  ]);
  return Object.fromEntries(entries);
}

export function timerInvocation(fn: RegisteredFunction): InvocationRequest {
  const timer = { Schedule: { AdjustForDST: true }, ScheduleStatus: null, IsPastDue: false };
  return invocationRequest(fn, json(timer), {});
}

export function queueInvocation(
  fn: RegisteredFunction,
  body: string,
  dequeueCount: number,
): InvocationRequest {
  return invocationRequest(
    fn,
    { string: body },
    {
      QueueTrigger: { string: body },
      Id: { string: randomUUID() },
      DequeueCount: json(dequeueCount),
      PopReceipt: { string: randomUUID() },
    },
  );
}
