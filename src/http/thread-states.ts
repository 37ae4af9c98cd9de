/** The Platform API's states of threads. */

import { z } from "zod";
import {
  getHistory,
  getState,
  updateState,
  type CheckpointRef,
  type StateEdit,
} from "../core/thread-states.ts";
import { isJsonObject } from "../core/model.ts";
import type { ThreadState } from "../core/shown-state.ts";
import { updateThread } from "../core/threads.ts";
import { AppError } from "../errors.ts";
import { checkMessages, parse, readObject } from "./body.ts";
import type { MakeRoute } from "./platform-route.ts";
import { readQuery } from "./query.ts";
import { json } from "./respond.ts";
import type { AnswerDocs, Call, Route } from "./router.ts";
import {
  HistoryBody,
  HistoryParams,
  StateAnswer,
  StateAt,
  StatePatch,
  StateQuery,
  StateUpdate,
  StateUpdateAnswer,
  ThreadAnswer,
} from "./thread-schemas.ts";
import { openGraphs, threadId, type ThreadRouteDeps } from "./thread-route.ts";

const PATH = "/threads/{thread_id}";
const aState: AnswerDocs = {
  description: "The state, with the fields asked for",
  schema: StateAnswer.partial(),
};
const states: AnswerDocs = {
  description: "The states, newest first",
  schema: z.array(StateAnswer.partial()),
};

export function threadStateRoutes(deps: ThreadRouteDeps, route: MakeRoute): readonly Route[] {
  return [
    route(`GET ${PATH}/state`, "Get a thread's newest state", {
      permission: "threads:read",
      query: StateQuery,
      responses: { 200: { ...aState, headers: ["ETag"] } },
      handle: async (call) => {
        const { select, ...options } = await readQuery(call.request, StateQuery);
        const state = await getState(deps, call.caller, { threadId: threadId(call), at: {} }, options);
        return json(selected(state, select), 200, newest(state));
      },
    }),
    route(`POST ${PATH}/state`, "Edit a thread's state", {
      permission: "threads:update",
      body: StateUpdate,
      headers: ["If-Match"],
      responses: { 200: { description: "The checkpoint that was made", schema: StateUpdateAnswer } },
      handle: edit(deps),
    }),
    route(`PATCH ${PATH}/state`, "Add to a thread's metadata", {
      permission: "threads:update",
      body: StatePatch,
      responses: { 200: { description: "The thread", schema: ThreadAnswer } },
      handle: async (call) => {
        const changes = await parse(StatePatch, await readObject(call.request, deps.limits));
        return json(await updateThread(deps, call.caller, threadId(call), changes));
      },
    }),
    route(`POST ${PATH}/state/checkpoint`, "Get a thread's state at a checkpoint, of a subgraph too", {
      permission: "threads:read",
      body: StateAt,
      responses: { 200: aState },
      handle: async (call) => {
        const body = await parse(StateAt, await readObject(call.request, deps.limits));
        const { checkpoint, select, ...options } = body;
        const place = { threadId: threadId(call), at: ofThread(call, checkpoint) };
        return json(selected(await getState(deps, call.caller, place, options), select));
      },
    }),
    route(`GET ${PATH}/state/{checkpoint_id}`, "Get a thread's state at a checkpoint", {
      permission: "threads:read",
      query: StateQuery,
      responses: { 200: aState },
      handle: async (call) => {
        const { select, ...options } = await readQuery(call.request, StateQuery);
        const { checkpoint_id } = call.params;
        const place = { threadId: threadId(call), at: { checkpoint_id } };
        return json(selected(await getState(deps, call.caller, place, options), select));
      },
    }),
    ...historyRoutes(deps, route),
  ];
}

function historyRoutes(deps: ThreadRouteDeps, route: MakeRoute): readonly Route[] {
  return [
    route(`GET ${PATH}/history`, "Look back at a thread's states", {
      permission: "threads:read",
      query: HistoryParams,
      responses: { 200: states },
      handle: async (call) => {
        const { limit, before, select } = await readQuery(call.request, HistoryParams);
        const query = { limit, before, metadata: undefined, checkpoint: {} };
        const found = await getHistory(deps, call.caller, threadId(call), query);
        return json(found.map((state) => selected(state, select)));
      },
    }),
    route(`POST ${PATH}/history`, "Look back at a thread's states", {
      permission: "threads:read",
      body: HistoryBody,
      responses: { 200: states },
      handle: async (call) => {
        const { limit, before, metadata, checkpoint, select } = await parse(
          HistoryBody,
          await readObject(call.request, deps.limits),
        );
        const query = { limit, before, metadata, checkpoint: ofThread(call, checkpoint) };
        const found = await getHistory(deps, call.caller, threadId(call), query);
        return json(found.map((state) => selected(state, select)));
      },
    }),
  ];
}

function edit(deps: ThreadRouteDeps): Route["handle"] {
  return async (call) => {
    const body = await parse(StateUpdate, await readObject(call.request, deps.limits));
    const { values, as_node, checkpoint, checkpoint_id } = body;
    checkMessages(values, "values", deps.limits);
    const base = ofThread(call, checkpoint);
    if (
      base.checkpoint_id !== undefined &&
      checkpoint_id !== undefined &&
      base.checkpoint_id !== checkpoint_id
    )
      throw new AppError("invalid_request", "checkpoint_id: differs from checkpoint.checkpoint_id");
    const at = checkpoint_id === undefined ? base : { ...base, checkpoint_id };
    const ifNewest = ifMatch(call.request);
    const made: StateEdit = { values, as_node, checkpoint: at, ifNewest, checkGraph: openGraphs(call) };
    return json(await updateState(deps, call.caller, threadId(call), made));
  };
}

/** What was asked for of a state. */
function selected(state: ThreadState, select: readonly string[] | undefined): object {
  if (select === undefined) return state;
  const fields = new Set(select);
  const shown: [string, unknown][] = Object.entries(state).filter(([field]) => fields.has(field));
  const members = select.flatMap((field) => (field.startsWith("values.") ? [field.slice(7)] : []));
  if (members.length === 0 || fields.has("values")) return Object.fromEntries(shown);
  const values = isJsonObject(state.values) ? state.values : {};
  const picked = Object.entries(values).filter(([name]) => members.includes(name));
  return { ...Object.fromEntries(shown), values: Object.fromEntries(picked) };
}

/** Names the checkpoint that a client may ask to be the newest one still, when it edits. */
function newest({ checkpoint }: ThreadState): Readonly<Record<string, string>> {
  const id = checkpoint?.checkpoint_id;
  return typeof id === "string" ? { etag: `"${id}"` } : {};
}

/** The checkpoint that must be the thread's newest. @throws AppError `invalid_request` @see RFC 9110 */
function ifMatch({ headers }: Request): string | undefined {
  const given = headers.get("if-match");
  if (given === null) return undefined;
  const [, id] = /^\s*"?([\w-]+)"?\s*$/.exec(given) ?? [];
  if (id === undefined) throw new AppError("invalid_request", "If-Match: expected the id of a checkpoint");
  return id;
}

/** @throws AppError `invalid_request` for a checkpoint of another thread */
function ofThread(
  call: Call,
  { thread_id, ...checkpoint }: CheckpointRef & { readonly thread_id?: string | undefined } = {},
): CheckpointRef {
  if (thread_id !== undefined && thread_id !== threadId(call))
    throw new AppError("invalid_request", "checkpoint.thread_id: not the thread of the path");
  return checkpoint;
}
