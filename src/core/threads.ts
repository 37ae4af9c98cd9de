/** The rules of threads: what a thread id is; how threads are made, found, changed and copied. */

import { isDeepStrictEqual } from "node:util";
import type { Clock } from "../clock.ts";
import { AppError } from "../errors.ts";
import { isEverything, type Caller, type Scope } from "./auth.ts";
import type { Checkpointer } from "./execution.ts";
import type { GraphRegistry } from "./graphs.ts";
import { RepeatedRequest, type Idempotency } from "./idempotency.ts";
import type { JsonObject, Thread, ThreadStatus, ThreadTtl } from "./model.ts";
import { refuseOwnCheckpointer } from "./own-checkpointers.ts";
import { foundOn, type Found } from "./paging.ts";

const MAX_THREAD_ID_LENGTH = 256;
const PRINTABLE_ASCII = /^[\x20-\x7e]*$/;

/** Thread ids are used as given. @throws AppError `invalid_thread_id` */
export function checkThreadId(threadId: unknown): string {
  if (typeof threadId !== "string") throw new AppError("invalid_thread_id", "thread_id must be a string");
  if (threadId === "") throw new AppError("invalid_thread_id", "Thread ID must not be empty");
  if (threadId.length > MAX_THREAD_ID_LENGTH) {
    throw new AppError(
      "invalid_thread_id",
      `Thread ID exceeds maximum length of ${MAX_THREAD_ID_LENGTH} characters`,
    );
  }
  if (!PRINTABLE_ASCII.test(threadId)) {
    throw new AppError("invalid_thread_id", "Thread ID must contain only printable ASCII characters");
  }
  return threadId;
}

export interface ThreadDeps {
  /** For threads that are made without one; undefined for ever. */
  readonly threadTtl?: ThreadTtl | undefined;
  readonly threads: ThreadStore;
  readonly threadStates: ThreadStateStore;
  readonly graphs: GraphRegistry;
  readonly clock: Clock;
  readonly newId: () => string;
}

/** A thread to store. */
export interface StoredThread {
  readonly thread_id: string;
  readonly metadata: JsonObject;
  /** Whom it belongs to; null where callers are not told apart. */
  readonly owner: string | null;
  readonly ttl?: ThreadTtl | undefined;
  readonly idempotency?: Idempotency | undefined;
}

export interface NewThread extends Omit<StoredThread, "thread_id" | "owner"> {
  /** One is made up if absent. */
  readonly thread_id: string | undefined;
  readonly if_exists: "raise" | "do_nothing";
}

/** A thread that its caller may make. */
export interface GrantedThread extends Pick<NewThread, "if_exists"> {
  readonly thread: StoredThread;
  readonly scope: Scope;
}

/** What its caller may make of it. @throws AppError `forbidden` */
export async function grantThread(
  { threadTtl, newId }: Pick<ThreadDeps, "threadTtl" | "newId">,
  caller: Caller,
  { thread_id = newId(), if_exists, ttl = threadTtl, ...asked }: NewThread,
): Promise<GrantedThread> {
  const { metadata } = asked;
  const { value, scope } = await caller.authorize("threads:create", { thread_id, metadata, if_exists });
  const thread = { ...asked, thread_id, ttl, metadata: value.metadata, owner: caller.owner };
  return { thread, scope, if_exists };
}

/**
 * Makes a thread, or finds the one that is there, if that is wanted or the request has been made before. `make` stores it.
 * @throws AppError `thread_exists`, also for one that is out of reach; `not_found`
 */
export async function storeThread(
  { threads, clock }: ThreadDeps,
  { thread, scope, if_exists }: GrantedThread,
  make: ThreadStore["create"] = threads.create,
): Promise<Thread> {
  const { thread_id } = thread;
  try {
    const created = await make(thread, scope, clock.now());
    if (created !== null) return created;
  } catch (error) {
    if (!(error instanceof RepeatedRequest)) throw error;
    return existing(await threads.get(error.first.thread_id, scope), error.first.thread_id);
  }
  const found = if_exists === "do_nothing" ? await threads.get(thread_id, scope) : null;
  if (found === null) throw new AppError("thread_exists", `Thread '${thread_id}' exists already`);
  return found;
}

/** @throws AppError `thread_exists`, `not_found`, `forbidden` */
export async function createThread(deps: ThreadDeps, caller: Caller, thread: NewThread): Promise<Thread> {
  return storeThread(deps, await grantThread(deps, caller, thread));
}

/** @throws AppError `not_found`, `forbidden` */
export async function getThread(deps: ReachDeps, caller: Caller, threadId: string): Promise<Thread> {
  const { scope } = await caller.authorize("threads:read", { thread_id: threadId });
  return reachThread(deps, scope, threadId);
}

interface ReachDeps {
  readonly threads: Pick<ThreadStore, "get">;
}

/** For a caller who has been asked about. @throws AppError `not_found` */
export async function reachThread({ threads }: ReachDeps, scope: Scope, threadId: string): Promise<Thread> {
  return existing(await threads.get(threadId, scope), threadId);
}

/**
 * After reading what is stored by the thread's id: it is the reader's if the thread still is, which somebody else may
 * have made anew meanwhile.
 * @throws AppError `not_found`
 */
export async function checkStillReached(
  { threads }: { readonly threads: Pick<ThreadStore, "boundTo"> },
  scope: Scope,
  threadId: string,
): Promise<void> {
  if (isEverything(scope)) return;
  if ((await threads.boundTo(threadId, scope)) === null) throw missing(threadId);
}

/** Also when it will be gone; null for a thread that stays. @throws AppError `not_found`, `forbidden` */
export async function getThreadWithTtl(
  deps: Pick<ThreadDeps, "threads">,
  caller: Caller,
  threadId: string,
): Promise<Thread & { readonly ttl: ThreadExpiry | null }> {
  const { scope } = await caller.authorize("threads:read", { thread_id: threadId });
  const thread = await reachThread(deps, scope, threadId);
  return { ...thread, ttl: await deps.threads.expiry(threadId, scope) };
}

/** Lays metadata over the thread's, and says anew how long it is kept. @throws AppError `not_found`, `forbidden` */
export async function updateThread(
  { threads, clock }: ThreadDeps,
  caller: Caller,
  threadId: string,
  { metadata, ...changes }: ThreadChanges,
): Promise<Thread> {
  const { value, scope } = await caller.authorize("threads:update", { thread_id: threadId, metadata });
  const allowed = { ...changes, metadata: value.metadata };
  return existing(await threads.update(threadId, scope, allowed, clock.now()), threadId);
}

/**
 * A thread of the caller's own with all that has been saved of another.
 * @throws AppError `not_found`, `forbidden`; `invalid_request` when the graph keeps its states where we cannot copy them
 */
export async function copyThread(deps: ThreadDeps, caller: Caller, threadId: string): Promise<Thread> {
  const { threadStates, threadTtl, clock, newId } = deps;
  const { scope } = await caller.authorize("threads:read", { thread_id: threadId });
  const thread = await reachThread(deps, scope, threadId);
  const thread_id = newId();
  const { value } = await caller.authorize("threads:create", {
    thread_id,
    metadata: structuredClone(thread.metadata),
  });
  await refuseOwnCheckpointer(deps, thread, "copy");
  const metadata = differences(value.metadata, thread.metadata);
  const without = Object.keys(thread.metadata).filter((name) => !(name in value.metadata));
  const copy = { thread_id, metadata, without, owner: caller.owner, ttl: threadTtl };
  return existing(await threadStates.copy(threadId, scope, copy, clock.now()), threadId);
}

/** The members that the second one has not, or not so. */
function differences(one: JsonObject, other: JsonObject): JsonObject {
  return Object.fromEntries(
    Object.entries(one).filter(([name, member]) => !isDeepStrictEqual(member, other[name])),
  );
}

/** To count all would make a page of a large database slower the more there is in it. */
const COUNTED = 1_000;

/** No more than `COUNTED` beyond the page are counted. @throws AppError `forbidden` */
export async function searchThreads(
  { threads }: Pick<ThreadDeps, "threads">,
  caller: Caller,
  asked: ThreadFilter,
  page: ThreadPage,
): Promise<Found<FoundThread>> {
  const { limit: most, offset: start } = page;
  const { value, scope } = await caller.authorize("threads:search", { ...asked, limit: most, offset: start });
  const { limit, offset, ...filter } = value;
  const [found, total] = await Promise.all([
    threads.search(filter, scope, { ...page, limit, offset }),
    threads.count(filter, scope, offset + limit + COUNTED),
  ]);
  return foundOn(value, found, total);
}

/** @throws AppError `forbidden` */
export async function countThreads(
  { threads }: Pick<ThreadDeps, "threads">,
  caller: Caller,
  filter: ThreadFilter,
): Promise<number> {
  const { value, scope } = await caller.authorize("threads:search", { ...filter });
  return threads.count(value, scope);
}

function existing(thread: Thread | null, threadId: string): Thread {
  if (thread === null) throw missing(threadId);
  return thread;
}

export function missing(threadId: string): AppError {
  return new AppError("not_found", `Thread '${threadId}' not found`);
}

/** Which threads; a filter that is absent lets all pass. */
export interface ThreadFilter {
  /** Contained in the thread's. */
  readonly metadata?: JsonObject | undefined;
  /** Contained in the newest state's; a thread without a state does not match. */
  readonly values?: JsonObject | undefined;
  readonly status?: ThreadStatus | undefined;
  readonly ids?: readonly string[] | undefined;
}

export type ThreadField = keyof Thread;

/** A part of a thread: a field, and the way from there, by the names of members and the places of items. */
export interface ThreadPath {
  readonly field: "values" | "metadata" | "config" | "interrupts";
  readonly path: readonly string[];
}

/** A thread as a search finds it. */
export interface FoundThread extends Partial<Thread> {
  readonly extracted?: JsonObject;
}

export interface ThreadChanges {
  readonly metadata: JsonObject;
  /** Undefined leaves it as it is. */
  readonly ttl?: ThreadTtl | undefined;
}

/** When a thread will be gone, or its history. */
export interface ThreadExpiry extends ThreadTtl {
  readonly expires_at: Date;
}

export interface ThreadPage {
  readonly limit: number;
  readonly offset: number;
  readonly sort_by: "thread_id" | "status" | "created_at" | "updated_at" | "state_updated_at";
  readonly sort_order: "asc" | "desc";
  readonly select: readonly ThreadField[];
  /** What to show of each thread under other names. */
  readonly extract?: Readonly<Record<string, ThreadPath>> | undefined;
}

/** The durable record of threads. Those that were made for a single run are never found by a search. */
export interface ThreadStore {
  /**
   * Null when there is one of this id, within reach or not, or when something is left of one; what has no thread is
   * taken over by those who reach everything.
   * @throws RepeatedRequest
   */
  readonly create: (thread: StoredThread, scope: Scope, now: Date) => Promise<Thread | null>;
  readonly get: (thread_id: string, scope: Scope) => Promise<Thread | null>;
  /** The graph that the thread last ran, if it has; null when there is no such thread. */
  readonly boundTo: (thread_id: string, scope: Scope) => Promise<{ readonly graph_id: string | null } | null>;
  /** Null for a thread that stays, or that there is not. */
  readonly expiry: (thread_id: string, scope: Scope) => Promise<ThreadExpiry | null>;
  /** Lays the metadata over what is there; null when there is no such thread. */
  readonly update: (
    thread_id: string,
    scope: Scope,
    changes: ThreadChanges,
    now: Date,
  ) => Promise<Thread | null>;
  /** Also their runs, events and checkpoints; whoever executes one of the runs finds its lease void. @returns which there were */
  readonly remove: (thread_ids: readonly string[], scope: Scope) => Promise<readonly string[]>;
  readonly search: (filter: ThreadFilter, scope: Scope, page: ThreadPage) => Promise<readonly FoundThread[]>;
  /** Counts no further than `most`. */
  readonly count: (filter: ThreadFilter, scope: Scope, most?: number) => Promise<number>;
}

export interface ThreadCopy extends Omit<StoredThread, "idempotency"> {
  /** What it does not take over of the metadata. */
  readonly without: readonly string[];
}

/** What a thread is left with when its state was edited. */
export interface EditedState {
  readonly values: unknown;
  /** By the task that waits. */
  readonly interrupts: JsonObject;
  /** What readers of the thread's stream are told, as JSON. */
  readonly told: string;
}

/** Saves an edit through the checkpointer; repeated from the start when the database asks for that. */
export type EditState = (checkpointer: Checkpointer, thread: Thread) => Promise<EditedState>;

export interface Expired {
  readonly removed: readonly Pick<Thread, "thread_id" | "metadata">[];
  /** How many. */
  readonly pruned: number;
}

/** Changes to threads that concern their checkpoints. Each happens as a whole or not at all. */
export interface ThreadStateStore {
  /** Edits a thread while no run of it is active, and keeps runs from starting meanwhile. @throws AppError `not_found`, `thread_busy` */
  readonly edit: (thread_id: string, scope: Scope, now: Date, work: EditState) => Promise<void>;
  /** Makes a thread with a state, as `ThreadStore.create` makes one. @throws RepeatedRequest */
  readonly createWith: (
    thread: StoredThread,
    scope: Scope,
    now: Date,
    work: EditState,
  ) => Promise<Thread | null>;
  /** A new thread with all that has been saved of another, and this metadata over that one's; null when that does not exist. */
  readonly copy: (from: string, scope: Scope, to: ThreadCopy, now: Date) => Promise<Thread | null>;
  /** Keeps of each thread without an active run only its newest checkpoint, and those of its subgraphs. @returns how many there were */
  readonly prune: (thread_ids: readonly string[], scope: Scope) => Promise<number>;
  /** Deletes threads whose time has come, or prunes them. */
  readonly expire: (now: Date, limit: number) => Promise<Expired>;
}
