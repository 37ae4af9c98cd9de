/** Background runs of the native API: accepted at once, executed by a worker, asked for by id. */

import { z } from "zod";
import type { Graph } from "../core/graphs.ts";
import type { RunRecord } from "../core/ports.ts";
import { cancelRun, getRun } from "../core/run-access.ts";
import { createRun } from "../core/runs.ts";
import { parse } from "./body.ts";
import { makeContext, readRunBody, runRequest, type NativeDeps } from "./native.ts";
import { InvokeBody, RUN_ERRORS, documented } from "./native-schemas.ts";
import { idempotencyOf, repeatHeaders } from "./idempotency.ts";
import { json } from "./respond.ts";
import type { Call, Route } from "./router.ts";

const Status = z.enum(["pending", "running", "error", "success", "timeout", "interrupted"]);

const CreatedAnswer = z.object({ run_id: z.uuid(), thread_id: z.string(), status: Status });

const RunAnswer = CreatedAnswer.extend({
  output: z.unknown().meta({ description: "The full output state, once the run has ended." }),
  error: z.string().nullable(),
  created_at: z.iso.datetime(),
  updated_at: z.iso.datetime(),
});

export function backgroundRoutes(deps: NativeDeps, graph: Graph): readonly Route[] {
  const path = `/graphs/${graph.name}/runs`;
  const common = { authLevel: graph.authLevel, isOpen: graph.isOpen, isRateLimited: true };
  const docs = (verb: string, summary: string) => ({
    operationId: `graph_${graph.name}_${verb}`,
    summary: `${summary} '${graph.name}'`,
    tag: graph.name,
  });
  const runErrors = { ...RUN_ERRORS, 404: "The graph has no such run" };
  return [
    {
      ...common,
      method: "POST",
      path,
      permission: "threads:create_run",
      handle: create(deps, graph),
      docs: {
        ...docs("runs_create", "Run in the background"),
        headers: ["Idempotency-Key"],
        body: documented(InvokeBody, graph),
        responses: {
          202: { description: "Accepted", schema: CreatedAnswer, headers: ["Idempotent-Replayed"] },
          ...RUN_ERRORS,
        },
      },
    },
    {
      ...common,
      method: "GET",
      path: `${path}/{run_id}`,
      permission: "threads:read",
      handle: async ({ params, caller }) =>
        json(shown(await getRun(deps, caller, graph, await runId(params)))),
      docs: {
        ...docs("runs_get", "Get a background run of"),
        responses: { 200: { description: "The run", schema: RunAnswer }, ...runErrors },
      },
    },
    {
      ...common,
      method: "POST",
      path: `${path}/{run_id}/cancel`,
      permission: "threads:update",
      handle: async ({ params, caller }) =>
        json(shown(await cancelRun(deps, caller, graph, await runId(params))), 202),
      docs: {
        ...docs("runs_cancel", "Stop a background run of"),
        responses: {
          202: { description: "It is asked to stop, unless it has ended", schema: RunAnswer },
          ...runErrors,
        },
      },
    },
  ];
}

/** On a busy thread, the run waits for its turn. */
function create(deps: NativeDeps, graph: Graph): Route["handle"] {
  return async (call) => {
    const body = await parse(InvokeBody, await readRunBody(call, deps));
    const request = await runRequest(graph, body, "values");
    const { run_id, thread_id, is_repeat } = await createRun(deps, call.caller, {
      ...request,
      ...(await makeContext(graph, call)),
      multitaskStrategy: "enqueue",
      isKept: true,
      idempotency: idempotencyOf(call, body),
    });
    return json({ run_id, thread_id, status: "pending" }, 202, repeatHeaders(is_repeat === true));
  };
}

async function runId(params: Call["params"]): Promise<string> {
  return parse(z.uuid(), params["run_id"], ["run_id"]);
}

function shown({ run_id, thread_id, status, output, error, created_at, updated_at }: RunRecord): unknown {
  return { run_id, thread_id, status, output, error, created_at, updated_at };
}
