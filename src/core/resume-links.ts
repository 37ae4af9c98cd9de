/** The rules of resume links: whoever has one may answer one interrupt of a thread, once, and do nothing else. */

import { isDeepStrictEqual } from "node:util";
import { AppError } from "../errors.ts";
import { principalOf, SYSTEM, type Caller, type Principal, type Scope } from "./auth.ts";
import { assistantOf, pendingIds, PROTOCOL_STREAM_MODES, type CommandDeps } from "./commands.ts";
import type { GraphConfig } from "./graphs.ts";
import type { Thread } from "./model.ts";
import type { Admission, NewRun } from "./ports.ts";
import { isBoundTo, signToken, verifyToken, type ReadToken } from "./resume-tokens.ts";
import { findRunAssistant, runAs } from "./run-assistants.ts";
import type { KeptKwargs } from "./run-kwargs.ts";
import { createRun } from "./runs.ts";
import { getThread } from "./threads.ts";

export const LINK_LIFE_SECONDS = 86_400;
export const MAX_LINK_LIFE_SECONDS = 30 * 86_400;

/** What the page offers as a button. */
export interface LinkChoice {
  readonly label: string;
  /** JSON: what the interrupt is answered with. */
  readonly response: unknown;
}

interface StoredLink {
  readonly link_id: string;
  readonly thread_id: string;
  readonly interrupt_id: string;
  readonly assistant_id: string;
  readonly expires_at: Date;
}

export interface NewLink extends StoredLink {
  /** If there are any, nothing else may be answered. */
  readonly choices: readonly LinkChoice[] | undefined;
  readonly message: string | undefined;
  readonly created_at: Date;
  /** On whose behalf it is answered; undefined for whoever asked for the run that waits. */
  readonly principal: Principal | undefined;
}

/** A link with what its thread has come to. */
export interface FoundLink extends StoredLink {
  readonly kwargs: KeptKwargs;
  readonly choices: readonly LinkChoice[] | null;
  readonly message: string | null;
  readonly used_at: Date | null;
  /** Whether the thread has the interrupt, and no answer to it has begun since the link was made. */
  readonly is_asked: boolean;
  /** Whether the thread has an active run. */
  readonly is_busy: boolean;
  /** What the interrupt asks. */
  readonly value: unknown;
}

export interface ResumeLinkStore {
  /**
   * Keeps with it what its run takes over from the thread's newest one; nothing that tells of another user than the
   * link's. False, and nothing is stored, when the thread does not wait at that interrupt, or is out of reach.
   */
  readonly insert: (link: NewLink, scope: Scope) => Promise<boolean>;
  readonly find: (linkId: string) => Promise<FoundLink | null>;
  /**
   * Uses the link up and admits the run, or neither. Null when the link is used, expired, or the thread does not wait at
   * its interrupt.
   * @throws what the admission throws, and then the link is as it was
   */
  readonly answer: (link: StoredLink, run: NewRun, now: Date) => Promise<Admission | null>;
  /** A batch of those that have expired. @returns how many */
  readonly removeExpired: (now: Date, limit: number) => Promise<number>;
}

export interface ResumeLinkDeps extends CommandDeps {
  readonly links: ResumeLinkStore;
  /** The first signs; a link that any of them has signed is good. */
  readonly linkSecrets: readonly string[];
}

export interface LinkRequest {
  readonly threadId: string;
  /** The only one that the thread waits at, if absent. */
  readonly interruptId?: string | undefined;
  /** Seconds. Default: a day. */
  readonly expiresIn?: number | undefined;
  readonly choices?: readonly LinkChoice[] | undefined;
  /** For the page. */
  readonly message?: string | undefined;
}

export interface ResumeLink extends Pick<NewLink, "link_id" | "thread_id" | "interrupt_id" | "expires_at"> {
  readonly url: string;
}

/**
 * Makes a link below `baseUrl`. The run of its answer executes on behalf of who made it; of a link that the server makes
 * itself, on behalf of who asked for the run that waits.
 * @throws AppError `not_found`, `not_interrupted`; `invalid_request` where no secrets are set, or it is not said at which
 * of several interrupts
 */
export async function makeResumeLink(
  deps: ResumeLinkDeps,
  { threadId, interruptId, expiresIn = LINK_LIFE_SECONDS, choices, message }: LinkRequest,
  baseUrl: string,
  caller: Caller = SYSTEM,
): Promise<ResumeLink> {
  const [secret] = deps.linkSecrets;
  if (secret === undefined)
    throw new AppError(
      "invalid_request",
      "Resume links are not set up here: the setting RESUME_LINK_SECRETS is missing",
    );
  const { scope } = await caller.authorize("threads:update", { thread_id: threadId });
  const thread = await getThread(deps, threadId);
  const interrupt_id = chosenInterrupt(thread, interruptId);
  const assistant = await assistantOf(deps, thread);
  if (assistant === undefined) throw notWaiting(threadId);
  const created_at = deps.clock.now();
  const link: NewLink = {
    link_id: deps.newId(),
    thread_id: threadId,
    interrupt_id,
    assistant_id: assistant.assistant_id,
    principal: principalOf(caller),
    choices,
    message,
    created_at,
    expires_at: new Date(created_at.getTime() + expiresIn * 1_000),
  };
  if (!(await deps.links.insert(link, scope))) throw notWaiting(threadId);
  const { link_id, thread_id, expires_at } = link;
  return {
    link_id,
    url: `${baseUrl}/resume/${signToken(secret, link)}`,
    expires_at,
    thread_id,
    interrupt_id,
  };
}

function chosenInterrupt(thread: Thread, wanted: string | undefined): string {
  const pending = thread.status === "interrupted" ? pendingIds(thread) : [];
  if (wanted !== undefined && pending.length > 0 && !pending.includes(wanted))
    throw new AppError(
      "not_interrupted",
      `Thread '${thread.thread_id}' does not wait at interrupt '${wanted}'`,
    );
  const [only] = pending;
  if (only === undefined) throw notWaiting(thread.thread_id);
  if (wanted === undefined && pending.length > 1)
    throw new AppError(
      "invalid_request",
      `interrupt_id: required, as the thread waits at several: ${pending.join(", ")}`,
    );
  return wanted ?? only;
}

function notWaiting(threadId: string): AppError {
  return new AppError("not_interrupted", `Thread '${threadId}' does not wait at an interrupt`);
}

/** A link that may be answered. @throws AppError `not_found`, `link_used`, `link_expired`, `link_void`, `thread_busy` */
export async function findResumeLink(
  deps: Pick<ResumeLinkDeps, "links" | "linkSecrets" | "clock">,
  sent: string,
): Promise<FoundLink> {
  const token = verifyToken(deps.linkSecrets, sent);
  if (token === null) throw unknownLink();
  const now = deps.clock.now();
  if (token.expires_at <= now) throw expired();
  const link = await storedLink(deps, token);
  if (link.used_at !== null) throw used();
  if (link.expires_at <= now) throw expired();
  if (!link.is_asked)
    throw new AppError("link_void", "This has been answered in another way, or has been withdrawn");
  if (link.is_busy) throw busy();
  return link;
}

async function storedLink({ links }: Pick<ResumeLinkDeps, "links">, token: ReadToken): Promise<FoundLink> {
  const link = await links.find(token.link_id);
  if (link === null || !isBoundTo(token, link)) throw unknownLink();
  return link;
}

function unknownLink(): AppError {
  return new AppError("not_found", "There is no such link, or what it was about does not exist any more");
}

function used(): AppError {
  return new AppError("link_used", "This link has been used already");
}

function expired(): AppError {
  return new AppError("link_expired", "This link has expired");
}

function busy(): AppError {
  return new AppError("thread_busy", "This is being worked on just now; try again in a moment");
}

/** One of the link's choices, by its place; text; or any JSON. */
export type LinkAnswer =
  { readonly choice: number } | { readonly text: string } | { readonly response: unknown };

/**
 * Answers the interrupt of a link, by the rules of the protocol's `input.respond`. Of several that answer at once, one
 * does; whoever is refused for another reason than that may try again. The answer is read when the link is known to be good.
 * @throws AppError as `findResumeLink` does; `invalid_request` for what is none of its choices; as `createRun` does
 */
export async function answerResumeLink(
  deps: ResumeLinkDeps,
  token: string,
  read: () => Promise<LinkAnswer>,
): Promise<{ readonly run_id: string; readonly thread_id: string }> {
  const link = await findResumeLink(deps, token);
  const response = responseOf(link, await read());
  const { thread_id, interrupt_id, kwargs } = link;
  const after = await deps.log.newestSeq(thread_id);
  const found = await findRunAssistant(deps, link.assistant_id);
  const { run_id } = await runAs(deps, found, async (assistant) =>
    createRun(usingUp(deps, link, token), {
      graph: assistant.graph,
      assistant,
      input: { command: { resume: { [interrupt_id]: response } } },
      config: withoutCheckpoint(kwargs.config),
      metadata: { graph_id: assistant.graph.name, assistant_id: assistant.assistant_id },
      threadId: thread_id,
      createsThread: false,
      streamModes: PROTOCOL_STREAM_MODES,
      multitaskStrategy: "enqueue",
      settings: {
        subgraphs: true,
        protocol: { after },
        ...(kwargs.context === undefined ? {} : { context: kwargs.context }),
      },
    }),
  );
  return { run_id, thread_id };
}

/** The run is admitted if the link can be used up, in one. */
function usingUp(deps: ResumeLinkDeps, link: FoundLink, token: string): ResumeLinkDeps {
  const admit: ResumeLinkDeps["runs"]["admit"] = async (run, now) => {
    const asGoingOn = { ...run, kwargs: { ...link.kwargs, ...run.kwargs } };
    const admission = await deps.links.answer(link, asGoingOn, now);
    if (admission !== null) return admission;
    await findResumeLink(deps, token); // which says what has become of it since
    throw busy();
  };
  return { ...deps, runs: { ...deps.runs, admit } };
}

/** @throws AppError `invalid_request` */
function responseOf({ choices }: FoundLink, answer: LinkAnswer): unknown {
  if ("choice" in answer) {
    const choice = choices?.[answer.choice];
    if (choice === undefined) throw new AppError("invalid_request", "choice: the link has no such choice");
    return choice.response;
  }
  if ("text" in answer) {
    if (choices !== null) throw new AppError("invalid_request", "text: the link has choices; send choice");
    return answer.text;
  }
  const { response } = answer;
  if (choices !== null && !choices.some((choice) => isDeepStrictEqual(choice.response, response)))
    throw new AppError("invalid_request", "response: must be the response of one of the link's choices");
  return response;
}

/** The answer belongs to the newest state, wherever the run that asked began. */
function withoutCheckpoint(config: GraphConfig = {}): GraphConfig {
  const { metadata: _, configurable = {}, ...rest } = config;
  const { checkpoint_id: _id, checkpoint_ns: _ns, checkpoint_map: _map, ...configured } = configurable;
  return { ...rest, configurable: configured };
}
