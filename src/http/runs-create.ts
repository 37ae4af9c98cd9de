/** Asking for runs in the Platform's API: in the background, to wait for, to stream; on a thread or without one. */

import { allowedTo } from "../core/auth.ts";
import type { EndedThreads } from "../core/ended-threads.ts";
import type { Graph } from "../core/graphs.ts";
import type { ThreadLog } from "../core/thread-log.ts";
import { isJsonObject, type JsonObject } from "../core/model.ts";
import type { NewRun } from "../core/ports.ts";
import { resultHere } from "../core/results.ts";
import { findRunAssistant, runAs, type RunAssistant, type RunAssistantDeps } from "../core/run-assistants.ts";
import { shownKwargs } from "../core/run-kwargs.ts";
import type { RunRequest } from "../core/new-run.ts";
import { createRun, startRun } from "../core/runs.ts";
import { takeSign } from "../core/sign-of-life.ts";
import { checkThreadId } from "../core/threads.ts";
import type { WebhookPolicy } from "../core/webhooks.ts";
import { AppError } from "../errors.ts";
import { parse, readJson } from "./body.ts";
import { checkRunBody, makeContext, prepare, type NativeDeps } from "./native.ts";
import { idempotencyOf, idempotencyOfItem, repeatHeaders } from "./idempotency.ts";
import { configurableHeaders, type HeaderRules } from "./headers.ts";
import { queryOf } from "./query.ts";
import { json } from "./respond.ts";
import type { Call, Route } from "./router.ts";
import { toRequest, type RequestedRun } from "./run-request.ts";
import { awaitRun, streamRun, type Watched } from "./runs-response.ts";
import { signOfLife } from "./sign-of-life.ts";
import { RunBatch, RunCreate, StatelessRunCreate, StreamQuery, type RunCreateBody } from "./runs-schemas.ts";

export interface RunsDeps extends NativeDeps, RunAssistantDeps {
  readonly endedThreads: EndedThreads;
  readonly webhookPolicy: WebhookPolicy;
  readonly configurableHeaders: HeaderRules;
  readonly log: Pick<ThreadLog, "checkpointSeq">;
}

/** A run that is asked for: where, and how. */
export interface Asked extends RequestedRun {
  /** As it was when the run was asked for. */
  readonly assistant: RunAssistant;
  /** What the request says of it besides. */
  readonly sent: Pick<RunRequest, "idempotency" | "headers" | "isKept">;
}

export function createInBackground(deps: RunsDeps): Route["handle"] {
  return async (call) => {
    const asked = await readAsked(deps, call);
    checkBackground(asked.body);
    const run = await createAs(deps, call, asked);
    return json(shownNew(run), 200, locations(run, asked.threadId));
  };
}

export function createAndWait(deps: RunsDeps): Route["handle"] {
  return async (call) => {
    const { watched, graph } = await start(deps, call, await readAsked(deps, call), "join");
    return awaitRun(deps, watched, graph, async () => resultHere((await watched.executing) ?? null));
  };
}

export function createAndStream(deps: RunsDeps): Route["handle"] {
  return async (call) => {
    const { namespace: namespaces } = await parse(StreamQuery, queryOf(call.request, ["namespace"]));
    const { watched, after } = await start(deps, call, await readAsked(deps, call), "stream");
    const first = { event: "metadata", data: { run_id: watched.run.run_id, attempt: 1 }, id: after };
    return streamRun(deps, { ...watched, after, first, namespaces });
  };
}

/** Stateless runs, each on a thread of its own. The SDK sends the names of its own options here. */
export function createBatch(deps: RunsDeps): Route["handle"] {
  return async (call) => {
    const sent = await readJson(call.request, deps.limits);
    if (!Array.isArray(sent)) throw new AppError("invalid_request", "body: expected a list of runs");
    const items = sent.map((item: unknown) => checkRunBody(inSnakeCase(item), deps.limits));
    const whole = idempotencyOf(call, items);
    const headers = configurableHeaders(call.request.headers, deps.configurableHeaders);
    const asked: Asked[] = [];
    const found = new Map<string, RunAssistant>();
    for (const [index, body] of (await parse(RunBatch, items)).entries()) {
      checkBackground(body);
      const assistant =
        found.get(body.assistant_id) ?? (await findRunAssistant(deps, call.caller, body.assistant_id));
      found.set(body.assistant_id, assistant);
      const sent = { headers, idempotency: idempotencyOfItem(whole, index) };
      const one = { body, threadId: undefined, assistant, sent };
      await toRequest(deps, call.invocation, one, assistant); // when one makes no sense, none is made
      asked.push(one);
    }
    const runs = [];
    for (const one of asked) runs.push(await createAs(deps, call, one));
    return json(runs.map(shownNew), 200, repeatHeaders(runs.every(isRepeat)));
  };
}

/** @throws AppError `invalid_request` */
function checkBackground({ on_disconnect }: RunCreateBody): void {
  if (on_disconnect !== "cancel") return;
  const why = "nobody stays connected to a run in the background; join it with cancel_on_disconnect";
  throw new AppError("invalid_request", `on_disconnect: ${why}`);
}

export async function createAs(deps: RunsDeps, call: Call, asked: Asked): Promise<NewRun> {
  return runAs(deps, asked.assistant, async (assistant) => {
    const request = await toRequest(deps, call.invocation, asked, assistant);
    const made = await makeContext(assistant.graph, call);
    return createRun(deps, call.caller, { ...request, ...asked.sent, ...made });
  });
}

export interface Started {
  readonly watched: Watched & { readonly run: NewRun };
  readonly graph: Graph;
  /** The event after which a reader begins. */
  readonly after: number;
}

/** Stores the run, and executes it here if its thread is free. */
export async function start(
  deps: RunsDeps,
  call: Call,
  asked: Asked,
  door: "join" | "stream",
): Promise<Started> {
  const leaving = new AbortController();
  const cancelOnDisconnect = asked.body.on_disconnect === "cancel";
  const endsWithClient =
    cancelOnDisconnect && door === "stream" && call.invocation.signOfLifeMs !== undefined;
  const { graph, started, executing } = await runAs(deps, asked.assistant, async (assistant) => {
    const request = await toRequest(deps, call.invocation, asked, assistant);
    const { execute, ...made } = await prepare(deps, assistant.graph, call, leaving.signal);
    const whole = { ...request, ...asked.sent, ...made, ...seenLater(request, asked, door) };
    const started = await startRun(deps, call.caller, { ...whole, endsWithClient });
    return { graph: assistant.graph, started, executing: execute(started) };
  });
  const { run, claim } = started;
  const leave = (): void => leaving.abort();
  const sign =
    cancelOnDisconnect && door === "stream" ? signOfLife(deps, call.invocation, run, leave) : undefined;
  if (cancelOnDisconnect && isRepeat(run)) await takeSign(deps, call.invocation, run.run_id, sign?.afterMs);
  const back = `/threads/${encodeURIComponent(run.thread_id)}/runs/${run.run_id}/${door}`;
  const watched = {
    run,
    caller: allowedTo(call.caller, run.scope),
    invocation: call.invocation,
    executing,
    cancelOnDisconnect,
    sign,
    headers: {
      ...locations(run, asked.threadId),
      location: `${back}${cancelOnDisconnect ? "?cancel_on_disconnect=1" : ""}`,
    },
  };
  return { watched, graph, after: claim?.last_seq ?? 0 };
}

async function readAsked(deps: RunsDeps, call: Call): Promise<Asked> {
  const sent = checkRunBody(await readJson(call.request, deps.limits), deps.limits);
  const { thread_id } = call.params;
  const body = await parse(thread_id === undefined ? StatelessRunCreate : RunCreate, sent);
  return {
    body,
    threadId: thread_id === undefined ? undefined : checkThreadId(thread_id),
    assistant: await findRunAssistant(deps, call.caller, body.assistant_id),
    sent: {
      idempotency: idempotencyOf(call, sent),
      headers: configurableHeaders(call.request.headers, deps.configurableHeaders),
    },
  };
}

/** Who waits once more finds the values in the log, when the run and its temporary thread are gone. */
function seenLater(
  { streamModes }: RunRequest,
  { sent }: Asked,
  door: "join" | "stream",
): Pick<RunRequest, "streamModes"> {
  const needsValues = door === "join" && sent.idempotency !== undefined && !streamModes.includes("values");
  return { streamModes: needsValues ? [...streamModes, "values"] : streamModes };
}

function shownNew(run: NewRun): JsonObject {
  const { run_id, thread_id, assistant_id, metadata, kwargs, multitask_strategy, created_at } = run;
  return {
    run_id,
    thread_id,
    assistant_id,
    status: "pending",
    metadata,
    kwargs: shownKwargs({ ...kwargs }),
    multitask_strategy,
    created_at,
    updated_at: created_at,
  };
}

/** Below the route prefix, where official clients look for them. */
function locations(run: NewRun, named: string | undefined): Record<string, string> {
  const thread = named === undefined ? "" : `/threads/${encodeURIComponent(run.thread_id)}`;
  return { "content-location": `${thread}/runs/${run.run_id}`, ...repeatHeaders(isRepeat(run)) };
}

function isRepeat({ is_repeat }: NewRun): boolean {
  return is_repeat === true;
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
