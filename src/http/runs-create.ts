/** Asking for runs in the Platform's API: in the background, to wait for, to stream; on a thread or without one. */

import { assistantIdOf, graphOfAssistant } from "../core/assistants.ts";
import type { Graph } from "../core/graphs.ts";
import { isJsonObject, type JsonObject } from "../core/model.ts";
import type { NewRun } from "../core/ports.ts";
import { resultHere } from "../core/results.ts";
import type { Command, Durability, RunSettings } from "../core/run-kwargs.ts";
import { createRun, startRun, type RunRequest } from "../core/runs.ts";
import { checkThreadId } from "../core/threads.ts";
import { AppError } from "../errors.ts";
import { requireLevel } from "./authenticate.ts";
import { parse, readJson } from "./body.ts";
import { checkRunBody, graphConfig, prepare, type NativeDeps } from "./native.ts";
import { json } from "./respond.ts";
import type { Call, Route } from "./router.ts";
import { awaitRun, streamRun, type Watched } from "./runs-response.ts";
import { RunBatch, RunCreate, StatelessRunCreate, type RunCreateBody } from "./runs-schemas.ts";

export interface RunsDeps extends NativeDeps {
  readonly graphs: () => readonly Graph[];
}

/** A run that is asked for: of which graph, where, and how. */
interface Asked {
  readonly graph: Graph;
  readonly body: RunCreateBody;
  readonly request: RunRequest;
}

export function createInBackground(deps: RunsDeps): Route["handle"] {
  return async (call) => {
    const { request } = await readAsked(deps, call);
    const run = await createRun(deps, request);
    return json(shownNew(deps, run), 200, locations(run, request.threadId));
  };
}

export function createAndWait(deps: RunsDeps): Route["handle"] {
  return async (call) => {
    const { watched, graph } = await start(deps, call, "join");
    return awaitRun(deps, watched, graph, async () => resultHere((await watched.executing) ?? null));
  };
}

export function createAndStream(deps: RunsDeps): Route["handle"] {
  return async (call) => {
    const { watched, after } = await start(deps, call, "stream");
    const first = { event: "metadata", data: { run_id: watched.run.run_id, attempt: 1 }, id: after };
    return streamRun(deps, { ...watched, after, first, modes: undefined });
  };
}

/** Stateless runs, each on a thread of its own. The SDK sends the names of its own options here. */
export function createBatch(deps: RunsDeps): Route["handle"] {
  return async (call) => {
    const sent = await readJson(call.request, deps.limits);
    if (!Array.isArray(sent)) throw new AppError("invalid_request", "body: expected a list of runs");
    const items = sent.map((item: unknown) => checkRunBody(inSnakeCase(item), deps.limits));
    const asked = [];
    for (const body of await parse(RunBatch, items)) asked.push(await toAsked(deps, call, body, undefined));
    const runs = [];
    for (const { request } of asked) runs.push(shownNew(deps, await createRun(deps, request)));
    return json(runs);
  };
}

/** Stores the run, and executes it here if its thread is free. */
async function start(
  deps: RunsDeps,
  call: Call,
  door: "join" | "stream",
): Promise<{ readonly watched: Watched; readonly graph: Graph; readonly after: number }> {
  const { graph, body, request } = await readAsked(deps, call);
  const execute = await prepare(deps, graph, call);
  const started = await startRun(deps, request);
  const cancelOnDisconnect = body.on_disconnect === "cancel";
  const { run, claim } = started;
  const back = `/threads/${encodeURIComponent(run.thread_id)}/runs/${run.run_id}/${door}`;
  const watched = {
    run,
    invocation: call.invocation,
    executing: execute(started),
    cancelOnDisconnect,
    headers: {
      ...locations(run, request.threadId),
      location: `${back}${cancelOnDisconnect ? "?cancel_on_disconnect=1" : ""}`,
    },
  };
  return { watched, graph, after: claim?.last_seq ?? 0 };
}

async function readAsked(deps: RunsDeps, call: Call): Promise<Asked> {
  const sent = checkRunBody(await readJson(call.request, deps.limits), deps.limits);
  const { thread_id } = call.params;
  const body = await parse(thread_id === undefined ? StatelessRunCreate : RunCreate, sent);
  return toAsked(deps, call, body, thread_id);
}

async function toAsked(
  deps: RunsDeps,
  { invocation }: Call,
  body: RunCreateBody,
  threadId: string | undefined,
): Promise<Asked> {
  const graph = graphOfAssistant(deps.graphs(), body.assistant_id);
  requireLevel(graph.authLevel, invocation.authLevel);
  const assistant = { created_by: "system", graph_id: graph.name, assistant_id: assistantIdOf(graph.name) };
  const request: RunRequest = {
    graph,
    input: await runInput(graph, body),
    config: graphConfig(body.config ?? {}, configurable(body, threadId)),
    metadata: { ...assistant, ...body.metadata },
    threadId: threadId === undefined ? undefined : checkThreadId(threadId),
    streamModes: [body.stream_mode ?? "values"].flat(),
    multitaskStrategy: body.multitask_strategy ?? "enqueue",
    settings: settings(body),
    createsThread: threadId === undefined || body.if_not_exists === "create",
    isKept: threadId === undefined && body.on_completion === "keep",
    afterSeconds: body.after_seconds ?? 0,
  };
  return { graph, body, request };
}

async function runInput(
  { inputSchema }: Graph,
  { input, command }: RunCreateBody,
): Promise<RunRequest["input"]> {
  const hasInput = input !== undefined && input !== null;
  if (!command) {
    // No input: the thread goes on from where it stands.
    return {
      input:
        hasInput && inputSchema !== undefined ? await parse(inputSchema, input, ["input"]) : (input ?? null),
    };
  }
  if (hasInput) throw new AppError("invalid_request", "command: give either an input or a command, not both");
  const { resume, update, goto } = command;
  const given: Command = {
    ...(resume === undefined ? {} : { resume }),
    ...(update == null ? {} : { update }),
    ...(goto == null ? {} : { goto }),
  };
  if (Object.keys(given).length === 0)
    throw new AppError("invalid_request", "command: needs resume, update or goto");
  return { command: given };
}

/** The thread is the path's; the checkpoint may be told in three places. */
function configurable(body: RunCreateBody, threadId: string | undefined): JsonObject {
  const { thread_id, ...rest } = body.config?.configurable ?? {};
  const checkpoint = "checkpoint" in body ? body.checkpoint : undefined;
  for (const [field, named] of [
    ["config.configurable.thread_id", thread_id],
    ["checkpoint.thread_id", checkpoint?.thread_id],
  ] as const) {
    if (named != null && named !== threadId)
      throw new AppError("invalid_request", `${field}: the run's thread is the one in the path`);
  }
  const told = {
    checkpoint_id: ("checkpoint_id" in body ? body.checkpoint_id : undefined) ?? checkpoint?.checkpoint_id,
    checkpoint_ns: checkpoint?.checkpoint_ns,
    checkpoint_map: checkpoint?.checkpoint_map,
  };
  return { ...rest, ...Object.fromEntries(Object.entries(told).filter(([, value]) => value != null)) };
}

function settings(body: RunCreateBody): RunSettings {
  const { context, interrupt_before, interrupt_after, stream_subgraphs } = body;
  const durability = body.durability ?? formerDurability(body.checkpoint_during);
  return {
    ...(context == null ? {} : { context }),
    ...(interrupt_before == null ? {} : { interrupt_before }),
    ...(interrupt_after == null ? {} : { interrupt_after }),
    ...(stream_subgraphs == null ? {} : { subgraphs: stream_subgraphs }),
    ...(durability === undefined ? {} : { durability }),
  };
}

function formerDurability(during: boolean | null | undefined): Durability | undefined {
  if (during == null) return undefined;
  return during ? "async" : "exit";
}

function shownNew({ clock }: RunsDeps, run: NewRun): JsonObject {
  const { run_id, thread_id, assistant_id, metadata, kwargs, multitask_strategy } = run;
  const now = clock.now();
  return {
    run_id,
    thread_id,
    assistant_id,
    status: "pending",
    metadata,
    kwargs,
    multitask_strategy,
    created_at: now,
    updated_at: now,
  };
}

/** Below the route prefix, where official clients look for them. */
function locations({ run_id, thread_id }: NewRun, named: string | undefined): Record<string, string> {
  const thread = named === undefined ? "" : `/threads/${encodeURIComponent(thread_id)}`;
  return { "content-location": `${thread}/runs/${run_id}` };
}

/** `multitaskStrategy` to `multitask_strategy`, of the item's own fields; what JSON makes of an AbortSignal is left out. */
function inSnakeCase(item: unknown): unknown {
  if (!isJsonObject(item)) return item;
  const { signal: _, assistantId: __, ...fields } = item;
  return Object.fromEntries(
    Object.entries(fields).map(([name, value]) => [
      name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
      value,
    ]),
  );
}
