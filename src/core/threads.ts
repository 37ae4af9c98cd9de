/** The rules of threads: what a thread id is; how threads are made, found, changed and copied. */

import { isDeepStrictEqual } from "node:util";
import type { Clock } from "../clock.ts";
import { AppError } from "../errors.ts";
import { isEverything, type Caller, type Scope } from "./auth.ts";
import type { GraphRegistry } from "./graphs.ts";
import { RepeatedRequest } from "./idempotency.ts";
import type { JsonObject, Thread, ThreadTtl } from "./model.ts";
import { refuseOwnCheckpointer } from "./own-checkpointers.ts";
import { foundOn, type Found } from "./paging.ts";
import type {
  StoredThread,
  ThreadFilter,
  FoundThread,
  ThreadChanges,
  ThreadExpiry,
  ThreadPage,
  ThreadStore,
  ThreadStateStore,
} from "./thread-store.ts";

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
