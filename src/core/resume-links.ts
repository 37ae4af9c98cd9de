/** The rules of resume links: whoever has one may answer one interrupt of a thread, once, and do nothing else. */

import { AppError } from "../errors.ts";
import {
  EVERYTHING,
  isEverything,
  principalOf,
  SYSTEM,
  type Caller,
  type Principal,
  type Scope,
} from "./auth.ts";
import type { CommandDeps } from "./commands.ts";
import { INTERRUPT_ID } from "./interrupts.ts";
import { isJsonObject, type Thread } from "./model.ts";
import type { Admission, NewRun, RunRecord, RunStore } from "./ports.ts";
import { isBoundTo, signToken, verifyToken, type ReadToken } from "./resume-tokens.ts";
import type { RunKwargs } from "./run-kwargs.ts";
import type { ThreadStore } from "./thread-store.ts";
import { reachThread } from "./threads.ts";

export const LINK_LIFE_SECONDS = 86_400;
export const MAX_LINK_LIFE_SECONDS = 30 * 86_400;

/** What the page offers as a button. */
export interface LinkChoice {
  readonly label: string;
  /** JSON: what the interrupt is answered with. */
  readonly response: unknown;
}

/** As it is made. */
export interface NewLink {
  readonly link_id: string;
  /** The run that asked, and left its thread waiting. */
  readonly run_id: string;
  readonly interrupt_id: string;
  /** On whose behalf it is answered; null for whoever asked for that run. */
  readonly principal: Principal | null;
  /** If there are any, nothing else may be answered. */
  readonly choices: readonly LinkChoice[] | null;
  readonly message: string | null;
  readonly created_at: Date;
  readonly expires_at: Date;
}

/** With what its run says. */
export interface StoredLink extends Omit<NewLink, "created_at"> {
  readonly thread_id: string;
  readonly assistant_id: string;
  readonly kwargs: RunKwargs;
  readonly used_at: Date | null;
}

/** Where it is seen what has become of the thread. */
export interface Look {
  readonly threads: Pick<ThreadStore, "get">;
  readonly runs: Pick<RunStore, "list">;
}

export interface ResumeLinkStore {
  /** False, and nothing is stored, when the thread of the run does not wait any more, or is out of reach. */
  readonly insert: (link: NewLink, scope: Scope) => Promise<boolean>;
  readonly find: (linkId: string) => Promise<StoredLink | null>;
  /**
   * Uses the link up and admits the run, or neither; `isAsked` is called while nothing else can happen to the thread.
   * Null when it says no, or the link is used or expired.
   * @throws what the admission throws, and then the link is as it was
   */
  readonly answer: (
    link: StoredLink,
    run: NewRun,
    now: Date,
    isAsked: (look: Look) => Promise<boolean>,
  ) => Promise<Admission | null>;
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

/** Who makes a link, and has been asked about updating the thread. */
export interface LinkMaker {
  readonly caller: Caller;
  /** Which threads it may update. */
  readonly scope: Scope;
  /** Throws when it may not run the graph of the run that asked. */
  readonly checkGraph?: (graphId: string) => void;
}

export interface ResumeLink extends Pick<NewLink, "link_id" | "interrupt_id" | "expires_at"> {
  readonly url: string;
  readonly thread_id: string;
}

/**
 * Makes a link below `baseUrl`. The run of its answer executes on behalf of who made it; of a link that the server makes
 * itself, on behalf of who asked for the run that waits.
 * @throws AppError `not_found`, `not_interrupted`, `forbidden`; `invalid_request` where no secrets are set, or it is not
 * said at which of several interrupts
 */
export async function makeResumeLink(
  deps: ResumeLinkDeps,
  { threadId: thread_id, interruptId, expiresIn = LINK_LIFE_SECONDS, choices, message }: LinkRequest,
  baseUrl: string,
  { caller, scope, checkGraph }: LinkMaker = { caller: SYSTEM, scope: EVERYTHING },
): Promise<ResumeLink> {
  const [secret] = deps.linkSecrets;
  if (secret === undefined)
    throw new AppError(
      "invalid_request",
      "Resume links are not set up here: the setting RESUME_LINK_SECRETS is missing",
    );
  // Before the thread: where a run comes between the two, the link is not stored.
  const [asking] = await deps.runs.list(thread_id, scope, { limit: 1, offset: 0 });
  const interrupt_id = chosenInterrupt(await reachThread(deps, scope, thread_id), interruptId);
  if (asking === undefined)
    throw new AppError("not_interrupted", `The run that asked is gone from thread '${thread_id}'`);
  checkGraph?.(asking.graph_id);
  await checkMayRun(deps, caller, asking);
  const created_at = deps.clock.now();
  const link: NewLink = {
    link_id: deps.newId(),
    run_id: asking.run_id,
    interrupt_id,
    principal: principalOf(caller) ?? null,
    choices: choices ?? null,
    message: message ?? null,
    created_at,
    expires_at: new Date(created_at.getTime() + expiresIn * 1_000),
  };
  if (!(await deps.links.insert(link, scope))) throw notWaiting(thread_id);
  const { link_id, expires_at } = link;
  const token = signToken(secret, { link_id, expires_at, thread_id, interrupt_id });
  return { link_id, url: `${baseUrl}/resume/${token}`, expires_at, thread_id, interrupt_id };
}

/** The answer makes a run, about which its maker is asked now, as nobody can be then. @throws AppError `forbidden`, `not_found` */
async function checkMayRun(
  deps: Look,
  caller: Caller,
  { thread_id, assistant_id }: RunRecord,
): Promise<void> {
  const { scope } = await caller.authorize("threads:create_run", {
    thread_id,
    run_id: null,
    assistant_id,
    status: "pending",
    metadata: {},
    kwargs: {},
    multitask_strategy: "enqueue",
    prevent_insert_if_inflight: false,
    if_not_exists: "reject",
    after_seconds: 0,
  });
  if (!isEverything(scope)) await reachThread(deps, scope, thread_id);
}

function chosenInterrupt(thread: Thread, wanted: string | undefined): string {
  const { thread_id, status } = thread;
  const pending = status === "interrupted" ? interruptsOf(thread).map(({ id }) => id) : [];
  const [only] = pending;
  if (only === undefined) throw notWaiting(thread_id);
  if (wanted !== undefined && !pending.includes(wanted))
    throw new AppError("not_interrupted", `Thread '${thread_id}' does not wait at interrupt '${wanted}'`);
  if (wanted === undefined && pending.length > 1)
    throw new AppError(
      "invalid_request",
      `interrupt_id: required, as the thread waits at several: ${pending.join(", ")}`,
    );
  return wanted ?? only;
}

interface Interrupt {
  readonly id: string;
  readonly value: unknown;
}

function interruptsOf({ interrupts }: Thread): readonly Interrupt[] {
  const all: readonly unknown[] = Object.values(interrupts).flat();
  return all.flatMap((interrupt) =>
    isJsonObject(interrupt) && typeof interrupt["id"] === "string"
      ? [{ id: interrupt["id"], value: interrupt["value"] }]
      : [],
  );
}

function notWaiting(threadId: string): AppError {
  return new AppError("not_interrupted", `Thread '${threadId}' does not wait at an interrupt`);
}

/** A link that may be answered, and what it asks. */
export interface OpenLink extends StoredLink {
  readonly value: unknown;
}

/** @throws AppError `not_found`, `link_used`, `link_expired`, `link_void`, `thread_busy` */
export async function findResumeLink(
  deps: Look & Pick<ResumeLinkDeps, "links" | "linkSecrets" | "clock">,
  sent: string,
): Promise<OpenLink> {
  const token = verifyToken(deps.linkSecrets, sent);
  if (token === null) throw unknownLink();
  const now = deps.clock.now();
  if (token.expires_at <= now) throw expired();
  const link = await storedLink(deps, token);
  if (link.used_at !== null) throw used();
  if (link.expires_at <= now) throw expired();
  const question = await questionOf(deps, link);
  if (question === null)
    throw new AppError("link_void", "This has been answered in another way, or has been withdrawn");
  if (question.isBusy) throw busy();
  return { ...link, value: question.value };
}

async function storedLink({ links }: Pick<ResumeLinkDeps, "links">, token: ReadToken): Promise<StoredLink> {
  const link = await links.find(token.link_id);
  if (link === null || !isBoundTo(token, link)) throw unknownLink();
  return link;
}

interface Question {
  readonly value: unknown;
  /** Whether the thread has an active run, which may answer it. */
  readonly isBusy: boolean;
}

/** Null when nobody waits for the answer any more. */
export async function questionOf(look: Look, link: StoredLink): Promise<Question | null> {
  const thread = await look.threads.get(link.thread_id, EVERYTHING);
  if (thread === null || (thread.status !== "interrupted" && thread.status !== "busy")) return null;
  const interrupt = interruptsOf(thread).find(({ id }) => id === link.interrupt_id);
  if (interrupt === undefined || (await isAnsweredSince(look, link))) return null;
  return { value: interrupt.value, isBusy: thread.status === "busy" };
}

const PAGE = 20;
/** A thread on which more has happened since than this has gone on; who opens a link, often, pays for nothing. */
const MAX_RUNS_SINCE = 200;

/**
 * Whether a run has come since that had an answer for the interrupt: a node that asks several times, one question after
 * the other, has the same id for all of them.
 */
async function isAnsweredSince({ runs }: Look, link: StoredLink): Promise<boolean> {
  for (let offset = 0; offset < MAX_RUNS_SINCE; offset += PAGE) {
    const page = await runs.list(link.thread_id, EVERYTHING, { limit: PAGE, offset });
    for (const run of page) {
      if (run.run_id === link.run_id) return false;
      if (hasBegun(run) && answers(run.kwargs["command"], link.interrupt_id)) return true;
    }
    if (page.length < PAGE) return true; // with the run that asked, the question is gone
  }
  return true;
}

function hasBegun({ status, attempt }: RunRecord): boolean {
  return attempt > 0 || (status !== "pending" && status !== "interrupted");
}

/** An answer without ids is taken for one to this. */
function answers(command: unknown, interruptId: string): boolean {
  if (!isJsonObject(command) || !("resume" in command)) return false;
  const { resume } = command;
  const isById = isJsonObject(resume) && Object.keys(resume).every((key) => INTERRUPT_ID.test(key));
  return !isById || interruptId in resume || Object.keys(resume).length === 0;
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

export function busy(): AppError {
  return new AppError("thread_busy", "This is being worked on just now; try again in a moment");
}
