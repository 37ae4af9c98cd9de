/** Makes resume links: for callers of the API, and for code in the same process. */

import { z } from "zod";
import {
  makeResumeLink,
  MAX_LINK_LIFE_SECONDS,
  type LinkChoice,
  type LinkRequest,
  type ResumeLink,
  type ResumeLinkDeps,
} from "../core/resume-links.ts";
import { checkThreadId } from "../core/threads.ts";
import { requireLevel } from "./authenticate.ts";
import { baseUrl } from "./base-url.ts";
import { AppError } from "../errors.ts";
import { checkObject, parse, readObject } from "./body.ts";
import { scopeOf, type ProtocolDeps } from "./protocol-commands.ts";
import { json } from "./respond.ts";
import type { Route } from "./router.ts";
import { threadId, threadRoute, type ThreadRouteDeps } from "./thread-route.ts";

export interface LinkRouteDeps extends ResumeLinkDeps, ThreadRouteDeps, Pick<ProtocolDeps, "limits"> {
  /** Where people reach the app; undefined for as requests say. */
  readonly publicUrl: string | undefined;
}

const LinkCreate = z.strictObject({
  interrupt_id: z
    .string()
    .min(1)
    .nullish()
    .meta({ description: "Required when the thread waits at several interrupts." }),
  expires_in: z
    .int()
    .min(1)
    .max(MAX_LINK_LIFE_SECONDS)
    .nullish()
    .meta({ description: "Seconds; by default a day." }),
  choices: z
    .array(z.strictObject({ label: z.string().trim().min(1).max(100), response: z.json() }))
    .min(1)
    .max(20)
    .nullish()
    .meta({ description: "What the page offers as buttons; nothing else may be answered then." }),
  message: z.string().max(2_000).nullish().meta({ description: "For the page." }),
});

const LinkAnswer = z.object({
  link_id: z.uuid(),
  url: z.url().meta({ description: "Whoever has it may answer: send it to nobody else." }),
  expires_at: z.iso.datetime(),
  thread_id: z.string(),
  interrupt_id: z.string(),
});

export function resumeLinkRoutes(deps: LinkRouteDeps): readonly Route[] {
  const route = threadRoute(deps);
  return [
    route("POST /threads/{thread_id}/resume-links", "Make a link that answers an interrupt once", {
      permission: ["threads:update", "threads:create_run"],
      body: LinkCreate,
      responses: { 200: { description: "The link, which is not shown again", schema: LinkAnswer } },
      handle: make(deps),
    }),
  ];
}

function make(deps: LinkRouteDeps): Route["handle"] {
  return async (call) => {
    const thread = threadId(call);
    const sent = await parse(LinkCreate, await readObject(call.request, deps.limits));
    const scope = await scopeOf(deps, call, thread, "threads:update");
    // The thread's metadata, which a client may write, is not asked of which graph the answer is.
    const checkGraph = (id: string): void =>
      requireLevel(deps.graphs.get(id).authLevel, call.invocation.authLevel);
    const maker = { caller: call.caller, scope, checkGraph };
    return json(await makeResumeLink(deps, toRequest(thread, sent), baseUrl(deps.publicUrl, call), maker));
  };
}

function toRequest(
  thread: string,
  { interrupt_id, expires_in, choices, message }: z.output<typeof LinkCreate>,
): LinkRequest {
  return {
    threadId: thread,
    interruptId: interrupt_id ?? undefined,
    expiresIn: expires_in ?? undefined,
    choices: choices ?? undefined,
    message: message ?? undefined,
  };
}

export interface ResumeLinkOptions {
  /** The only one that the thread waits at, if absent. */
  readonly interruptId?: string | undefined;
  /** Seconds, 30 days at most. Default: a day. */
  readonly expiresIn?: number | undefined;
  /** What the page offers as buttons; nothing else may be answered then. */
  readonly choices?: readonly LinkChoice[] | undefined;
  /** For the page. */
  readonly message?: string | undefined;
  /** Where people reach the app, with its path: `https://agents.example.com/api`. Default: the setting `PUBLIC_URL`. */
  readonly baseUrl?: string | undefined;
}

const { interrupt_id, expires_in, choices, message } = LinkCreate.shape;
const Options = z.strictObject({
  interruptId: interrupt_id,
  expiresIn: expires_in,
  choices,
  message,
  baseUrl: z.url({ protocol: /^https?$/ }).optional(),
});

/** For code that runs in this process, which may do everything. @throws AppError as the endpoint does */
export async function resumeLinkFor(
  deps: LinkRouteDeps,
  thread: string,
  options: ResumeLinkOptions,
): Promise<ResumeLink> {
  const { baseUrl: base = deps.publicUrl, ...given } = await parse(
    Options,
    checkObject(options, deps.limits),
  );
  if (base === undefined)
    throw new AppError("invalid_request", "baseUrl: required where the setting PUBLIC_URL is missing");
  const request = {
    interrupt_id: given.interruptId,
    expires_in: given.expiresIn,
    choices: given.choices,
    message: given.message,
  };
  return makeResumeLink(deps, toRequest(checkThreadId(thread), request), base.replace(/\/+$/, ""));
}
