/** The native API of each graph: invoke, stream, state. @see SPEC of the Python package azure-functions-langgraph */

import type { z } from "zod";
import type { Clock } from "../clock.ts";
import type { Graph, GraphConfig } from "../core/graphs.ts";
import type { Logger, Outcome, RunInput } from "../core/ports.ts";
import { admitRun, type AdmittedRun, type RunDeps, type RunRequest } from "../core/runs.ts";
import { checkThreadId, readState } from "../core/threads.ts";
import { AppError } from "../errors.ts";
import { checkComplexity, checkMessages, parse, readJson, type BodyLimits } from "./body.ts";
import { invokeBody, invokeDocs, stateDocs, streamBody, streamDocs } from "./native-schemas.ts";
import { json, publicError } from "./respond.ts";
import type { Call, Route } from "./router.ts";
import { bufferFrames, eventStream, SSE_HEADERS, type Frame, type WriteFrame } from "./sse.ts";

export interface NativeDeps extends RunDeps {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly limits: BodyLimits;
  readonly streaming: "live" | "buffered";
  readonly maxStreamResponseBytes: number;
  readonly toPlain: (value: unknown) => unknown;
}

/** The three endpoints of one graph. */
export function graphRoutes(deps: NativeDeps, graph: Graph): readonly Route[] {
  const path = `/graphs/${graph.name}`;
  const common = { authLevel: graph.authLevel, isRateLimited: true };
  return [
    { ...common, method: "POST", path: `${path}/invoke`, handle: invoke(deps, graph), docs: invokeDocs(graph) },
    { ...common, method: "POST", path: `${path}/stream`, handle: stream(deps, graph), docs: streamDocs(graph) },
    { ...common, method: "GET", path: `${path}/threads/{thread_id}/state`, handle: state(deps, graph), docs: stateDocs(graph) },
  ];
}

function invoke(deps: NativeDeps, graph: Graph): Route["handle"] {
  const schema = invokeBody(graph);
  return async (call) => {
    const body = parse(schema, await readRunBody(call, deps));
    const run = await admitRun(deps, await runRequest(call, graph, body, "values"));
    const outcome = await run.execute(async () => undefined);
    return json({ output: output(graph, outcome) });
  };
}

function stream(deps: NativeDeps, graph: Graph): Route["handle"] {
  const schema = streamBody(graph);
  return async (call) => {
    if (!graph.stream) throw new AppError("stream_not_supported", `Graph '${graph.name}' is configured as invoke-only`);
    const body = parse(schema, await readRunBody(call, deps));
    const run = await admitRun(deps, await runRequest(call, graph, body, body.stream_mode));
    return streamResponse(deps, run);
  };
}

function state(deps: NativeDeps, graph: Graph): Route["handle"] {
  return async ({ params }) => {
    const snapshot = await readState(deps, graph, checkThreadId(params["thread_id"]));
    const { values, next, metadata, config, createdAt, parentConfig } = snapshot;
    return json({
      values: deps.toPlain(values),
      next,
      metadata: metadata ?? null,
      config,
      created_at: createdAt ?? null,
      parent_config: parentConfig ?? null,
    });
  };
}

async function readRunBody({ request }: Call, { limits }: NativeDeps): Promise<unknown> {
  const body = await readJson(request, limits);
  if (!isJsonObject(body)) throw new AppError("invalid_request", "body: expected an object");
  for (const part of Object.values(body)) checkComplexity(part, limits);
  if (isJsonObject(body["input"])) checkMessages(body["input"], limits);
  return body;
}

type InvokeBody = z.output<ReturnType<typeof invokeBody>>;

async function runRequest(
  { request, invocation }: Call,
  graph: Graph,
  body: InvokeBody,
  streamMode: RunRequest["streamMode"],
): Promise<RunRequest> {
  const { thread_id, ...configurable } = body.config?.configurable ?? {};
  return {
    graph,
    input: runInput(body),
    config: graphConfig(body.config ?? {}, configurable),
    metadata: body.metadata ?? {},
    context: await graph.context?.(new Request(request.url, { method: request.method, headers: request.headers })),
    threadId: thread_id === undefined ? undefined : checkThreadId(thread_id),
    streamMode,
    signal: invocation.signal,
  };
}

function runInput({ input, command }: InvokeBody): RunInput {
  if (input !== undefined && command) throw new AppError("invalid_request", "command: give either an input or a command, not both");
  if (command) return { command };
  if (input === undefined) throw new AppError("invalid_request", "input: required; expected an object");
  return { input };
}

function graphConfig(config: NonNullable<InvokeBody["config"]>, configurable: Readonly<Record<string, unknown>>): GraphConfig {
  return {
    configurable,
    ...(config.metadata === undefined ? {} : { metadata: config.metadata }),
    ...(config.tags === undefined ? {} : { tags: config.tags }),
    ...(config.recursion_limit === undefined ? {} : { recursionLimit: config.recursion_limit }),
    ...(config.max_concurrency === undefined ? {} : { maxConcurrency: config.max_concurrency }),
    ...(config.run_name === undefined ? {} : { runName: config.run_name }),
  };
}

/** An object is the output itself; anything else is wrapped, so that `output` is always an object. */
function output({ outputSchema }: Graph, outcome: Outcome): unknown {
  const value = outcome.output;
  if (outputSchema === undefined || outcome.status === "interrupted") return isJsonObject(value) ? value : { result: value };
  const result = outputSchema.safeParse(value);
  if (result.success) return result.data;
  throw new AppError("graph_failed", "Graph execution failed: its output does not match the output schema", { cause: result.error });
}

async function streamResponse(deps: NativeDeps, run: AdmittedRun): Promise<Response> {
  const produce = (write: WriteFrame): Promise<void> => writeRun(deps, run, write);
  if (deps.streaming === "live") return new Response(eventStream(deps.clock, produce), { headers: SSE_HEADERS });
  const maxBytes = deps.maxStreamResponseBytes;
  const tooMuch = { error: `stream response exceeded max buffered size (${maxBytes} bytes)` };
  const overflow = [{ event: "error", data: tooMuch }, END];
  return new Response(await bufferFrames(produce, { maxBytes, overflow }), { headers: SSE_HEADERS });
}

const END: Frame = { event: "end", data: {} };

/** One frame for each chunk, one for a failure, and always a last one; each carries an object. */
async function writeRun({ logger }: NativeDeps, run: AdmittedRun, write: WriteFrame): Promise<void> {
  try {
    await run.execute(async ({ data }) => write({ event: "data", data: isJsonObject(data) ? data : { data } }));
  } catch (error) {
    await write({ event: "error", data: { error: publicError(error, logger).message } });
  }
  await write(END);
}

function isJsonObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
