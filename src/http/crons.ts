/** The Platform's cron endpoints. @see https://docs.langchain.com/langsmith/cron-jobs */

import { z } from "zod";
import {
  createCron,
  deleteCron,
  getCron,
  searchCrons,
  updateCron,
  type Cron,
  type CronDeps,
  type CronFilter,
  type CronPatch,
  type NewCron,
} from "../core/crons.ts";
import type { AuthLevel, Invocation } from "../core/model.ts";
import { findRunAssistant, type RunAssistant, type RunAssistantDeps } from "../core/run-assistants.ts";
import type { RunRequest } from "../core/runs.ts";
import { checkThreadId } from "../core/threads.ts";
import { AppError } from "../errors.ts";
import { requireLevel } from "./authenticate.ts";
import { parse, readJson, readObject } from "./body.ts";
import * as schemas from "./crons-schemas.ts";
import { checkRunBody } from "./native.ts";
import { json } from "./respond.ts";
import type { Call, Route, RouteDocs } from "./router.ts";
import { toRequest, type RunsDeps } from "./runs-create.ts";
import { RunCreate, StatelessRunCreate } from "./runs-schemas.ts";

type AskingDeps = RunAssistantDeps & Pick<RunsDeps, "webhookPolicy">;

export interface CronRouteDeps extends CronDeps, Pick<RunsDeps, "limits">, AskingDeps {}

export function cronRoutes(deps: CronRouteDeps, authLevel: AuthLevel): readonly Route[] {
  const route = (
    method: Route["method"],
    path: string,
    docs: Omit<RouteDocs, "tag">,
    handle: Route["handle"],
  ): Route => ({ method, path, authLevel, isRateLimited: true, handle, docs: { ...docs, tag: "crons" } });
  return [
    route("POST", "/runs/crons", createDocs("crons_create", schemas.CronCreate), create(deps)),
    route(
      "POST",
      "/threads/{thread_id}/runs/crons",
      createDocs("crons_create_for_thread", schemas.ThreadCronCreate),
      create(deps),
    ),
    route("POST", "/runs/crons/search", searchDocs, search(deps)),
    route("POST", "/runs/crons/count", countDocs, async (call) => {
      const body = await parse(schemas.CronCount, await readObject(call.request, deps.limits));
      return json(await deps.crons.count(await filterOf(deps, body)));
    }),
    route("GET", CRON, cronDocs("get", "Get a cron"), async (call) => json(await find(deps, call))),
    route("PATCH", CRON, { ...cronDocs("update", "Change a cron"), body: schemas.CronPatch }, update(deps)),
    route("DELETE", CRON, deleteDocs, async (call) => {
      await deleteCron(deps, (await find(deps, call)).cron_id);
      return new Response(null, { status: 204 });
    }),
  ];
}

const CRON = "/runs/crons/{cron_id}";

/** The runs that a cron asks for, by the rules of every run. @throws AppError why it cannot be asked for */
export async function cronRequest(
  deps: AskingDeps,
  {
    cron_id,
    ...cron
  }: Pick<Cron, "assistant_id" | "thread_id" | "on_run_completed" | "payload" | "metadata"> &
    Partial<Pick<Cron, "cron_id">>,
  invocation: Pick<Invocation, "authLevel"> = { authLevel: "admin" },
): Promise<RunRequest & { readonly assistant: RunAssistant }> {
  const { assistant_id, thread_id, payload } = cron;
  const metadata = cron_id === undefined ? cron.metadata : { ...cron.metadata, cron_id };
  const sent = { ...payload, assistant_id, metadata };
  const body =
    thread_id === null
      ? await parse(StatelessRunCreate, { ...sent, on_completion: cron.on_run_completed })
      : await parse(RunCreate, sent);
  const assistant = await findRunAssistant(deps, assistant_id);
  const request = await toRequest(deps, invocation, { body, threadId: thread_id ?? undefined }, assistant);
  return { ...request, assistant };
}

function create(deps: CronRouteDeps): Route["handle"] {
  return async ({ request, params, invocation }) => {
    const thread_id = params["thread_id"] === undefined ? null : checkThreadId(params["thread_id"]);
    const schema = thread_id === null ? schemas.CronCreate : schemas.ThreadCronCreate;
    const sent = checkRunBody(await readJson(request, deps.limits), deps.limits);
    const { schedule, timezone, end_time, enabled, on_run_completed, ...run } = await parse(schema, sent);
    const { assistant_id, metadata, ...payload } = run;
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
    const { assistant } = await cronRequest(deps, cron, invocation);
    return json(await createCron(deps, { ...cron, assistant_id: assistant.assistant_id }));
  };
}

function update(deps: CronRouteDeps): Route["handle"] {
  return async (call) => {
    const { cron_id, thread_id } = await find(deps, call);
    const sent = checkRunBody(await readJson(call.request, deps.limits), deps.limits);
    const body = await parse(schemas.CronPatch, sent);
    const { schedule, timezone, end_time, enabled, on_run_completed, metadata, ...payload } = body;
    if (thread_id !== null && on_run_completed === "delete")
      throw new AppError("invalid_request", "on_run_completed: the cron's runs are those of a thread");
    const patch: CronPatch = {
      schedule,
      timezone,
      end_time,
      enabled: enabled ?? undefined,
      on_run_completed: thread_id === null ? (on_run_completed ?? undefined) : undefined,
      payload: given(payload),
      metadata: metadata ?? {},
    };
    const check = async (cron: Cron) => cronRequest(deps, cron, call.invocation);
    return json(await updateCron(deps, cron_id, patch, check));
  };
}

function search(deps: CronRouteDeps): Route["handle"] {
  return async ({ request }) => {
    const body = await parse(schemas.CronSearch, await readObject(request, deps.limits));
    const { limit, offset, sort_by, sort_order, select, ...filter } = body;
    const fields = (select ?? schemas.CronAnswer.keyof().options).filter((field) => field !== "now");
    const { crons, total, next } = await searchCrons(deps, await filterOf(deps, filter), {
      limit: limit ?? 10,
      offset: offset ?? 0,
      sort_by: sort_by ?? "created_at",
      sort_order: sort_order ?? "desc",
      select: fields.length === 0 ? ["cron_id"] : fields,
    });
    const now = select?.includes("now") === true ? { now: deps.clock.now() } : {};
    const shown = crons.map((cron) => ({ ...(fields.length === 0 ? {} : cron), ...now }));
    return json(shown, 200, {
      "x-pagination-total": String(total),
      ...(next === null ? {} : { "x-pagination-next": String(next) }),
    });
  };
}

/** The cron in the path, if its graph is open to the caller. */
async function find(deps: CronRouteDeps, { params, invocation }: Call): Promise<Cron> {
  const cron = await getCron(deps, await parse(z.uuid(), params["cron_id"], ["cron_id"]));
  const assistant = await findRunAssistant(deps, cron.assistant_id).catch(() => undefined); // its graph may be gone
  if (assistant !== undefined) requireLevel(assistant.graph.authLevel, invocation.authLevel);
  return cron;
}

/** Assistants go by the names of graphs, too. */
async function filterOf(
  deps: CronRouteDeps,
  { assistant_id, thread_id, enabled, metadata }: z.output<typeof schemas.CronCount>,
): Promise<CronFilter> {
  const isId = assistant_id == null || z.guid().safeParse(assistant_id).success;
  return {
    assistant_id: isId
      ? (assistant_id ?? undefined)
      : (await findRunAssistant(deps, assistant_id)).assistant_id,
    thread_id: thread_id ?? undefined,
    enabled: enabled ?? undefined,
    metadata: metadata ?? undefined,
  };
}

function given(fields: object): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}

const ERRORS = {
  401: "A function key is missing",
  403: "The function key does not open this endpoint",
  404: "There is no such cron, thread or assistant",
  422: "A field is not what was expected",
  429: "Too many requests; see Retry-After",
  500: "The server failed",
  503: "The database or the queue cannot be reached",
} as const;
const NOT_JSON = { 400: "The body is not JSON or over a limit" } as const;
const aCron = { description: "The cron", schema: schemas.CronAnswer };

function createDocs(operationId: string, body: z.ZodType): Omit<RouteDocs, "tag"> {
  const summary = operationId === "crons_create" ? "Run again and again" : "Run again and again on a thread";
  return { operationId, summary, body, responses: { 200: aCron, ...ERRORS, ...NOT_JSON } };
}

function cronDocs(verb: string, summary: string): Omit<RouteDocs, "tag"> {
  return { operationId: `crons_${verb}`, summary, responses: { 200: aCron, ...ERRORS, ...NOT_JSON } };
}

const deleteDocs = {
  operationId: "crons_delete",
  summary: "Delete a cron",
  responses: { 204: { description: "Deleted" }, ...ERRORS },
};
const searchDocs = {
  operationId: "crons_search",
  summary: "Search crons",
  body: schemas.CronSearch,
  responses: {
    200: {
      description: "A page of crons, with the fields asked for; X-Pagination-Total and -Next tell the rest.",
      headers: ["X-Pagination-Total", "X-Pagination-Next"] as const,
      schema: z.array(schemas.CronFound),
    },
    ...ERRORS,
    ...NOT_JSON,
  },
};
const countDocs = {
  operationId: "crons_count",
  summary: "Count crons",
  body: schemas.CronCount,
  responses: { 200: { description: "How many match", schema: z.int() }, ...ERRORS, ...NOT_JSON },
};
