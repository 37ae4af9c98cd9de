/** The native API of each graph: invoke, stream, state. @see SPEC of the Python package azure-functions-langgraph */

import type { z } from "zod";
import { toGraphConfig, type GraphConfig } from "../core/config.ts";
import type { Checkpointers, Executed, Outcome } from "../core/execution.ts";
import type { Graph, GraphStores } from "../core/graphs.ts";
import { isJsonObject, type JsonObject } from "../core/model.ts";
import type { Logger } from "../core/logger.ts";
import { GOES_ON, outcomeOf } from "../core/results.ts";
import type { RunRequest } from "../core/new-run.ts";
import { executeClaimed, startRun, type RunDeps, type StartedRun } from "../core/runs.ts";
import type { SignStore } from "../core/sign-of-life.ts";
import { readState } from "../core/thread-states.ts";
import { checkThreadId, type ThreadStore } from "../core/threads.ts";
import { AppError } from "../errors.ts";
import { checkCommand, checkMessages, checkObject, parse, readJson, type BodyLimits } from "./body.ts";
import {
  InvokeBody,
  invokeDocs,
  type NATIVE_STREAM_MODES,
  stateDocs,
  StreamBody,
  streamDocs,
} from "./native-schemas.ts";
import { untilCut } from "./cut.ts";
import { idempotencyOf, repeatHeaders } from "./idempotency.ts";
import { json, publicError } from "./respond.ts";
import type { Call, Route } from "./router.ts";
import { bufferFrames, eventStream, SSE_HEADERS, type Frame, type WriteFrame } from "./sse.ts";

export interface NativeDeps extends RunDeps {
  readonly threads: ThreadStore;
  readonly checkpointers: Checkpointers;
  readonly graphStore: GraphStores;
  readonly signs: SignStore;
  readonly logger: Logger;
  readonly limits: BodyLimits;
  readonly streaming: "live" | "buffered";
  readonly maxStreamResponseBytes: number;
  readonly toPlain: (value: unknown) => unknown;
}

/** The three endpoints of one graph. */
export function graphRoutes(deps: NativeDeps, graph: Graph): readonly Route[] {
  const path = `/graphs/${graph.name}`;
  const common = { authLevel: graph.authLevel, isOpen: graph.isOpen, isRateLimited: true };
  return [
    {
      ...common,
      method: "POST",
      path: `${path}/invoke`,
      permission: "threads:create_run",
      handle: invoke(deps, graph),
      docs: invokeDocs(graph),
    },
    {
      ...common,
      method: "POST",
      path: `${path}/stream`,
      permission: "threads:create_run",
      handle: stream(deps, graph),
      docs: streamDocs(graph),
    },
    {
      ...common,
      method: "GET",
      path: `${path}/threads/{thread_id}/state`,
      permission: "threads:read",
      handle: state(deps, graph),
      docs: stateDocs(graph),
    },
  ];
}

function invoke(deps: NativeDeps, graph: Graph): Route["handle"] {
  return async (call) => {
    const body = await parse(InvokeBody, await readRunBody(call, deps));
    const idempotency = idempotencyOf(call, body);
    const { execute, ...made } = await prepare(deps, graph, call);
    const request = await runRequest(graph, body, "values");
    const started = await startRun(deps, call.caller, { ...request, ...made, idempotency });
    const outcome = await untilCut(deps.clock, call.invocation, async (signal) =>
      outcomeOf(deps, started.run, await execute(started), signal),
    );
    return json({ output: await output(graph, outcome) }, 200, repeatHeaders(started.run.is_repeat === true));
  };
}

function stream(deps: NativeDeps, graph: Graph): Route["handle"] {
  return async (call) => {
    if (!graph.stream)
      throw new AppError("stream_not_supported", `Graph '${graph.name}' is configured as invoke-only`);
    const body = await parse(StreamBody, await readRunBody(call, deps));
    const idempotency = idempotencyOf(call, body);
    const { execute, ...made } = await prepare(deps, graph, call);
    const request = await runRequest(graph, body, body.stream_mode);
    const started = await startRun(deps, call.caller, { ...request, ...made, idempotency });
    const executing = execute(started);
    return streamResponse(deps, async (write) => {
      await untilCut(deps.clock, call.invocation, async (signal) =>
        writeRun(deps, started, { mode: body.stream_mode, signal }, write),
      );
      await executing;
    });
  };
}

/** Whose run it is, and its context, whose making may fail, before the run exists. */
export async function makeContext(graph: Graph, { request, caller, identity }: Call): Promise<MadeContext> {
  const { url, method, headers } = request;
  const madeContext = await graph.context?.(new Request(url, { method, headers }), caller.user);
  return madeContext === undefined ? { identity } : { madeContext, identity };
}

type MadeContext = Pick<RunRequest, "madeContext" | "identity">;

interface Prepared extends MadeContext {
  /** Executes the run here, if it is in our hands. */
  readonly execute: (run: StartedRun) => Promise<Executed | null>;
}

/**
 * For a run that is executed by the invocation that asks for it, if its thread is free, or until `handOver` aborts.
 * @throws AppError `rate_limited`
 */
export async function prepare(
  deps: NativeDeps,
  graph: Graph,
  call: Call,
  handOver?: AbortSignal,
): Promise<Prepared> {
  await call.hold();
  const { signal, deadline } = call.invocation;
  const made = await makeContext(graph, call);
  const limits = {
    ...("madeContext" in made ? { context: made.madeContext } : {}),
    ...(deadline === undefined ? {} : { deadline }),
    ...(handOver === undefined ? {} : { handOver }),
  };
  const execute = async ({ run, claim }: StartedRun): Promise<Executed | null> => {
    if (claim === null) return null;
    // A run that nobody can come back to stops when its caller goes away.
    const isLost = claim.is_temporary && run.idempotency === undefined;
    return executeClaimed(deps, claim, isLost ? { ...limits, signal } : limits);
  };
  return { ...made, execute };
}

function state(deps: NativeDeps, graph: Graph): Route["handle"] {
  return async ({ params, caller }) => {
    const snapshot = await readState(deps, caller, graph, checkThreadId(params["thread_id"]));
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

export async function readRunBody({ request }: Call, { limits }: NativeDeps): Promise<unknown> {
  return checkRunBody(await readJson(request, limits), limits);
}

/** What a run is asked for with, within the limits and with messages as plain JSON. */
export function checkRunBody(sent: unknown, limits: BodyLimits): JsonObject {
  const body = checkObject(sent, limits);
  checkMessages(body["input"], "input", limits);
  checkCommand(body["command"], "command", limits);
  return body;
}

type NativeStreamMode = (typeof NATIVE_STREAM_MODES)[number];

export type RunBody = z.output<typeof InvokeBody>;

export async function runRequest(
  graph: Graph,
  body: RunBody,
  streamMode: NativeStreamMode,
): Promise<RunRequest> {
  const { thread_id, ...configurable } = body.config?.configurable ?? {};
  return {
    graph,
    input: await runInput(graph, body),
    config: graphConfig(body.config ?? {}, configurable),
    metadata: body.metadata ?? {},
    threadId: thread_id === undefined ? undefined : checkThreadId(thread_id),
    streamModes: [streamMode === "messages" ? "messages-tuple" : streamMode],
    multitaskStrategy: "reject",
  };
}

async function runInput({ inputSchema }: Graph, { input, command }: RunBody): Promise<RunRequest["input"]> {
  if (input !== undefined && command)
    throw new AppError("invalid_request", "command: give either an input or a command, not both");
  if (command) return { command };
  if (inputSchema !== undefined) return { input: await parse(inputSchema, input, ["input"]) };
  if (input === undefined) throw new AppError("invalid_request", "input: required; expected an object");
  return { input };
}

export function graphConfig(
  config: NonNullable<RunBody["config"]>,
  configurable: Readonly<Record<string, unknown>>,
): GraphConfig {
  return { ...toGraphConfig(config), configurable };
}

/** An object is the output itself; anything else is wrapped, so that `output` is always an object. */
export async function output({ outputSchema }: Graph, outcome: Outcome): Promise<unknown> {
  const value = outcome.output;
  if (outputSchema === undefined || outcome.status === "interrupted")
    return isJsonObject(value) ? value : { result: value };
  const result = await outputSchema.safeParseAsync(value);
  if (result.success) return result.data;
  throw new AppError("graph_failed", "Graph execution failed: its output does not match the output schema", {
    cause: result.error,
  });
}

async function streamResponse(
  deps: NativeDeps,
  produce: (write: WriteFrame) => Promise<void>,
): Promise<Response> {
  if (deps.streaming === "live")
    return new Response(eventStream(deps.clock, produce), { headers: SSE_HEADERS });
  const maxBytes = deps.maxStreamResponseBytes;
  const tooMuch = { error: `stream response exceeded max buffered size (${maxBytes} bytes)` };
  const overflow = [{ event: "error", data: tooMuch }, END];
  return new Response(await bufferFrames(produce, { maxBytes, overflow }), { headers: SSE_HEADERS });
}

const END: Frame = { event: "end", data: {} };

interface Wanted {
  readonly mode: NativeStreamMode;
  readonly signal: AbortSignal;
}

/** One frame for each chunk, one for a failure or a run that goes on, and always a last one; each carries an object. */
async function writeRun(
  deps: NativeDeps,
  { run, claim }: StartedRun,
  { mode, signal }: Wanted,
  write: WriteFrame,
): Promise<void> {
  try {
    for await (const { event, data } of deps.engine.follow(run, claim?.last_seq ?? 0, signal)) {
      const chunk: unknown = JSON.parse(data);
      if (event === mode)
        await write({ event: "data", data: isJsonObject(chunk) ? chunk : { data: chunk } }, signal);
      if (event === "error" && isJsonObject(chunk))
        await write({ event: "error", data: { error: chunk["message"] } }, signal);
    }
    if (signal.aborted) await write({ event: "error", data: { error: GOES_ON } }, signal);
  } catch (error) {
    await write({ event: "error", data: { error: publicError(error, deps.logger).message } }, signal);
  }
  await write(END, signal);
}
