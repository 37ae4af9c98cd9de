/** The Platform's cron endpoints. @see https://docs.langchain.com/langsmith/cron-jobs */

import { z } from "zod";
import type { Cron, CronFilter, CronPatch, NewCron } from "../core/cron-store.ts";
import {
  countCrons,
  createCron,
  deleteCron,
  getCron,
  searchCrons,
  updateCron,
  type CheckRuns,
  type CronDeps,
} from "../core/crons.ts";
import { SYSTEM, type Caller } from "../core/auth.ts";
import type { AuthLevel, Invocation } from "../core/model.ts";
import { findRunAssistant, type RunAssistant, type RunAssistantDeps } from "../core/run-assistants.ts";
import type { RunRequest } from "../core/new-run.ts";
import { checkThreadId, type ThreadDeps } from "../core/threads.ts";
import { AppError } from "../errors.ts";
import { requireLevel } from "./authenticate.ts";
import { parse, readJson, readObject } from "./body.ts";
import * as schemas from "./crons-schemas.ts";
import { checkRunBody } from "./native.ts";
import { platformRoute, type MakeRoute } from "./platform-route.ts";
import { json, noContent, pageOf } from "./respond.ts";
import type { AnswerDocs, Call, Route } from "./router.ts";
import { toRequest } from "./run-request.ts";
import type { RunsDeps } from "./runs-create.ts";
import { RunCreate, StatelessRunCreate } from "./runs-schemas.ts";

type AskingDeps = RunAssistantDeps & Pick<RunsDeps, "webhookPolicy">;

export interface CronRouteDeps extends CronDeps, Pick<RunsDeps, "limits">, AskingDeps, ThreadDeps {}

const ERRORS = {
  401: "A function key is missing",
  403: "The function key does not open this endpoint, or the caller may not do it",
  404: "There is no such cron, thread or assistant",
  422: "A field is not what was expected",
  429: "Too many requests; see Retry-After",
  500: "The server failed",
  503: "The database or the queue cannot be reached",
} as const;
const NOT_JSON = { 400: "The body is not JSON or over a limit" } as const;
const aCron: AnswerDocs = { description: "The cron", schema: schemas.CronAnswer };
const aPage: AnswerDocs = {
  description: "A page of crons, with the fields asked for; X-Pagination-Total and -Next tell the rest.",
  headers: ["X-Pagination-Total", "X-Pagination-Next"],
  schema: z.array(schemas.CronFound),
};

export function cronRoutes(deps: CronRouteDeps, authLevel: AuthLevel): readonly Route[] {
  const route = platformRoute(authLevel, "crons", ERRORS);
  return [
    route("POST /runs/crons", "Run again and again", {
      operationId: "crons_create",
      permission: "crons:create",
      body: schemas.CronCreate,
      responses: { 200: aCron, ...NOT_JSON },
      handle: create(deps),
    }),
    route("POST /threads/{thread_id}/runs/crons", "Run again and again on a thread", {
      operationId: "crons_create_for_thread",
      permission: "crons:create",
      body: schemas.ThreadCronCreate,
      responses: { 200: aCron, ...NOT_JSON },
      handle: create(deps),
    }),
    route("POST /runs/crons/search", "Search crons", {
      operationId: "crons_search",
      permission: "crons:search",
      body: schemas.CronSearch,
      responses: { 200: aPage, ...NOT_JSON },
      handle: search(deps),
    }),
    route("POST /runs/crons/count", "Count crons", {
      operationId: "crons_count",
      permission: "crons:search",
      body: schemas.CronCount,
      responses: { 200: { description: "How many match", schema: z.int() }, ...NOT_JSON },
      handle: async ({ request, caller }) => {
        const body = await parse(schemas.CronCount, await readObject(request, deps.limits));
        return json(await countCrons(deps, caller, await filterOf(deps, caller, body)));
      },
    }),
    ...oneRoutes(deps, route),
  ];
}

function oneRoutes(deps: CronRouteDeps, route: MakeRoute): readonly Route[] {
  return [
    route("GET /runs/crons/{cron_id}", "Get a cron", {
      operationId: "crons_get",
      permission: "crons:read",
      responses: { 200: aCron, ...NOT_JSON },
      handle: async (call) => {
        const cron = await getCron(deps, call.caller, await idOf(call));
        await opened(deps, call)(cron);
        return json(cron);
      },
    }),
    route("PATCH /runs/crons/{cron_id}", "Change a cron", {
      operationId: "crons_update",
      permission: "crons:update",
      body: schemas.CronPatch,
      responses: { 200: aCron, ...NOT_JSON },
      handle: update(deps),
    }),
    route("DELETE /runs/crons/{cron_id}", "Delete a cron", {
      operationId: "crons_delete",
      permission: "crons:delete",
      responses: { 204: { description: "Deleted" } },
      handle: async (call) => {
        await deleteCron(deps, call.caller, await idOf(call), opened(deps, call));
        return noContent();
      },
    }),
  ];
}

/** The runs that a cron asks for, by the rules of every run. @throws AppError why it cannot be asked for */
export async function cronRequest(
  deps: AskingDeps,
  {
    cron_id,
    ...cron
  }: Pick<Cron, "assistant_id" | "thread_id" | "on_run_completed" | "payload" | "metadata"> &
    Partial<Pick<Cron, "cron_id">>,
  caller: Caller,
  invocation: Pick<Invocation, "authLevel"> = { authLevel: "admin" },
): Promise<RunRequest & { readonly assistant: RunAssistant }> {
  const { assistant_id, thread_id, payload } = cron;
  const metadata = cron_id === undefined ? cron.metadata : { ...cron.metadata, cron_id };
  const sent = { ...payload, assistant_id, metadata };
  const body =
    thread_id === null
      ? await parse(StatelessRunCreate, { ...sent, on_completion: cron.on_run_completed })
      : await parse(RunCreate, sent);
  const assistant = await findRunAssistant(deps, caller, assistant_id);
  const request = await toRequest(deps, invocation, { body, threadId: thread_id ?? undefined }, assistant);
  return { ...request, assistant };
}

function create(deps: CronRouteDeps): Route["handle"] {
  return async ({ request, params, invocation, caller }) => {
    const thread_id = params["thread_id"] === undefined ? null : checkThreadId(params["thread_id"]);
    const schema = thread_id === null ? schemas.CronCreate : schemas.ThreadCronCreate;
    const sent = checkRunBody(await readJson(request, deps.limits), deps.limits);
    const { schedule, timezone, end_time, enabled, on_run_completed, ...run } = await parse(schema, sent);
    const { assistant_id, metadata, if_not_exists, ...payload } = run;
    const cron: NewCron = {
      assistant_id,
      thread_id,
      schedule,
      timezone: timezone ?? null,
      end_time: end_time ?? null,
      enabled: enabled ?? true,
      on_run_completed: thread_id === null ? (on_run_completed ?? "delete") : null,
      payload,
      metadata: metadata ?? {},
    };
    const check: CheckRuns = async (wanted, asking) => cronRequest(deps, wanted, asking, invocation);
    const makesThread = if_not_exists === "create";
    return json(await createCron(deps, caller, cron, { check, makesThread }));
  };
}

function update(deps: CronRouteDeps): Route["handle"] {
  return async (call) => {
    const sent = checkRunBody(await readJson(call.request, deps.limits), deps.limits);
    const body = await parse(schemas.CronPatch, sent);
    const { schedule, timezone, end_time, enabled, on_run_completed, metadata, ...payload } = body;
    const patch: CronPatch = {
      schedule,
      timezone,
      end_time,
      enabled: enabled ?? undefined,
      on_run_completed: on_run_completed ?? undefined,
      payload: given(payload),
      metadata: metadata ?? {},
    };
    const allow = async (cron: Cron): Promise<void> => {
      await opened(deps, call)(cron);
      if (cron.thread_id !== null && on_run_completed === "delete")
        throw new AppError("invalid_request", "on_run_completed: the cron's runs are those of a thread");
    };
    const check: CheckRuns = async (cron, caller) => cronRequest(deps, cron, caller, call.invocation);
    return json(await updateCron(deps, call.caller, await idOf(call), { patch, allow, check }));
  };
}

function search(deps: CronRouteDeps): Route["handle"] {
  return async ({ request, caller }) => {
    const body = await parse(schemas.CronSearch, await readObject(request, deps.limits));
    const { limit, offset, sort_by, sort_order, select, ...filter } = body;
    const fields = (select ?? schemas.CronAnswer.keyof().options).filter((field) => field !== "now");
    const found = await searchCrons(deps, caller, await filterOf(deps, caller, filter), {
      limit: limit ?? 10,
      offset: offset ?? 0,
      sort_by: sort_by ?? "created_at",
      sort_order: sort_order ?? "desc",
      select: fields.length === 0 ? ["cron_id"] : fields,
    });
    const now = select?.includes("now") === true ? { now: deps.clock.now() } : {};
    return pageOf(found, (cron) => ({ ...(fields.length === 0 ? {} : cron), ...now }));
  };
}

async function idOf({ params }: Call): Promise<string> {
  return parse(z.uuid(), params["cron_id"], ["cron_id"]);
}

/** Refuses crons of graphs that the caller's key does not open. */
function opened(deps: CronRouteDeps, { invocation }: Call): (cron: Cron) => Promise<void> {
  return async ({ assistant_id }) => {
    const assistant = await findRunAssistant(deps, SYSTEM, assistant_id).catch(() => undefined); // its graph may be gone
    if (assistant !== undefined) requireLevel(assistant.graph.authLevel, invocation.authLevel);
  };
}

/** Assistants go by the names of graphs, too. */
async function filterOf(
  deps: CronRouteDeps,
  caller: Caller,
  { assistant_id, thread_id, enabled, metadata }: z.output<typeof schemas.CronCount>,
): Promise<CronFilter> {
  const isId = assistant_id == null || z.guid().safeParse(assistant_id).success;
  return {
    assistant_id: isId
      ? (assistant_id ?? undefined)
      : (await findRunAssistant(deps, caller, assistant_id)).assistant_id,
    thread_id: thread_id ?? undefined,
    enabled: enabled ?? undefined,
    metadata: metadata ?? undefined,
  };
}

function given(fields: object): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}
