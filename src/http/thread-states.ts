/** The Platform API's states of threads. */

import { z } from "zod";
import { getHistory, getState, updateState, type CheckpointRef } from "../core/thread-states.ts";
import { updateThread } from "../core/threads.ts";
import { AppError } from "../errors.ts";
import { checkMessages, parse, readObject } from "./body.ts";
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
import { threadId, type MakeRoute, type ThreadRouteDeps } from "./thread-route.ts";

const PATH = "/threads/{thread_id}";
const aState: AnswerDocs = { description: "The state", schema: StateAnswer };
const states: AnswerDocs = { description: "The states, newest first", schema: z.array(StateAnswer) };

export function threadStateRoutes(deps: ThreadRouteDeps, route: MakeRoute): readonly Route[] {
  return [
    route(`GET ${PATH}/state`, "Get a thread's newest state", {
      answer: aState,
      handle: async (call) =>
        json(await getState(deps, threadId(call), {}, await readQuery(call.request, StateQuery))),
    }),
    route(`POST ${PATH}/state`, "Edit a thread's state", {
      body: StateUpdate,
      answer: { description: "The checkpoint that was made", schema: StateUpdateAnswer },
      handle: edit(deps),
    }),
    route(`PATCH ${PATH}/state`, "Add to a thread's metadata", {
      body: StatePatch,
      answer: { description: "The thread", schema: ThreadAnswer },
      handle: async (call) => {
        const { metadata } = await parse(StatePatch, await readObject(call.request, deps.limits));
        return json(await updateThread(deps, threadId(call), metadata));
      },
    }),
    route(`POST ${PATH}/state/checkpoint`, "Get a thread's state at a checkpoint, of a subgraph too", {
      body: StateAt,
      answer: aState,
      handle: async (call) => {
        const { checkpoint, ...options } = await parse(StateAt, await readObject(call.request, deps.limits));
        return json(await getState(deps, threadId(call), ofThread(call, checkpoint), options));
      },
    }),
    route(`GET ${PATH}/state/{checkpoint_id}`, "Get a thread's state at a checkpoint", {
      answer: aState,
      handle: async (call) => {
        const query = await readQuery(call.request, StateQuery);
        const { checkpoint_id } = call.params;
        return json(await getState(deps, threadId(call), { checkpoint_id }, query));
      },
    }),
    route(`GET ${PATH}/history`, "Look back at a thread's states", {
      answer: states,
      handle: async (call) => {
        const { limit, before } = await readQuery(call.request, HistoryParams);
        const query = { limit, before, metadata: undefined, checkpoint: {} };
        return json(await getHistory(deps, threadId(call), query));
      },
    }),
    route(`POST ${PATH}/history`, "Look back at a thread's states", {
      body: HistoryBody,
      answer: states,
      handle: async (call) => {
        const { limit, before, metadata, checkpoint } = await parse(
          HistoryBody,
          await readObject(call.request, deps.limits),
        );
        const query = { limit, before, metadata, checkpoint: ofThread(call, checkpoint) };
        return json(await getHistory(deps, threadId(call), query));
      },
    }),
  ];
}

function edit(deps: ThreadRouteDeps): Route["handle"] {
  return async (call) => {
    const body = await parse(StateUpdate, await readObject(call.request, deps.limits));
    const { values, as_node, checkpoint, checkpoint_id } = body;
    for (const part of [values].flat()) checkMessages(part, "values", deps.limits);
    const base = ofThread(call, checkpoint);
    if (
      base.checkpoint_id !== undefined &&
      checkpoint_id !== undefined &&
      base.checkpoint_id !== checkpoint_id
    )
      throw new AppError("invalid_request", "checkpoint_id: differs from checkpoint.checkpoint_id");
    const at = checkpoint_id === undefined ? base : { ...base, checkpoint_id };
    return json(await updateState(deps, threadId(call), { values, as_node, checkpoint: at }));
  };
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
