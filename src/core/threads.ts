/** The rules of threads: what a thread id is, and what a thread's state looks like. */

import type { Clock } from "../clock.ts";
import { AppError } from "../errors.ts";
import type { Checkpointer, Checkpointers } from "./execution.ts";
import { withCheckpointer, type Graph, type GraphRegistry, type StateSnapshot } from "./graphs.ts";
import type { JsonObject, Thread, ThreadStatus } from "./model.ts";
import { ownCheckpointer } from "./own-checkpointers.ts";
import type { RunStore } from "./ports.ts";

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

/**
 * The newest state of a thread.
 * @throws AppError `not_found` when the thread has no state, belongs to another graph, or the graph keeps none.
 */
export async function readState(
  { runs, checkpointers }: { readonly runs: RunStore; readonly checkpointers: Checkpointers },
  graph: Graph,
  threadId: string,
): Promise<StateSnapshot> {
  const config = { configurable: { thread_id: threadId } };
  const [owner, compiled, checkpointer] = await Promise.all([
    runs.threadGraph(threadId),
    graph.load(config),
    checkpointers.forThread(),
  ]);
  const readable = compiled.checkpointer === undefined ? withCheckpointer(compiled, checkpointer) : compiled;
  const isOurs = owner === null || owner === graph.name;
  const state = isOurs && readable.checkpointer !== false ? await readable.getState(config) : undefined;
  if (state?.metadata === undefined) throw new AppError("not_found", `Thread '${threadId}' not found`);
  return state;
}

export interface ThreadDeps {
  readonly threads: ThreadStore;
  readonly threadStates: ThreadStateStore;
  readonly graphs: GraphRegistry;
  readonly clock: Clock;
  readonly newId: () => string;
}

export interface NewThread {
  /** One is made up if absent. */
  readonly thread_id: string | undefined;
  readonly metadata: JsonObject;
  readonly if_exists: "raise" | "do_nothing";
}

/**
 * Makes a thread, or finds the one that is there, if that is wanted. `make` stores it.
 * @throws AppError `thread_exists`
 */
export async function createThread(
  { threads, clock, newId }: ThreadDeps,
  { thread_id = newId(), metadata, if_exists }: NewThread,
  make: (id: string, now: Date) => Promise<Thread | null> = async (id, now) =>
    threads.create(id, metadata, now),
): Promise<Thread> {
  const created = await make(thread_id, clock.now());
  if (created !== null) return created;
  const existing = if_exists === "do_nothing" ? await threads.get(thread_id) : null;
  if (existing === null) throw new AppError("thread_exists", `Thread '${thread_id}' exists already`);
  return existing;
}

/** @throws AppError `not_found` */
export async function getThread({ threads }: Pick<ThreadDeps, "threads">, threadId: string): Promise<Thread> {
  return existing(await threads.get(threadId), threadId);
}

/** Lays metadata over the thread's. @throws AppError `not_found` */
export async function updateThread(
  { threads, clock }: ThreadDeps,
  threadId: string,
  metadata: JsonObject,
): Promise<Thread> {
  return existing(await threads.update(threadId, metadata, clock.now()), threadId);
}

/** Leaves nothing of the thread; a run of it that executes just now can write nothing more. @throws AppError `not_found` */
export async function deleteThread(deps: ThreadDeps, threadId: string): Promise<void> {
  if ((await removeThreads(deps, [await getThread(deps, threadId)])) === 0) throw missing(threadId);
}

/** Deletes those of the threads that there are. */
export async function pruneThreads(
  deps: ThreadDeps,
  ids: readonly string[],
): Promise<{ readonly pruned_count: number }> {
  const page = { limit: ids.length, offset: 0, sort_by: "thread_id", sort_order: "asc" } as const;
  const found = await deps.threads.search({ ids }, { ...page, select: ["thread_id", "metadata"] });
  return { pruned_count: await removeThreads(deps, found) };
}

async function removeThreads(deps: ThreadDeps, found: readonly Partial<Thread>[]): Promise<number> {
  const ids = found.flatMap(({ thread_id }) => thread_id ?? []);
  const removed = await deps.threads.remove(ids);
  for (const thread of found) {
    const own = await ownCheckpointer(deps, thread);
    if (thread.thread_id !== undefined) await own?.deleteThread?.(thread.thread_id);
  }
  return removed;
}

/** @throws AppError `not_found`; `invalid_request` when the graph keeps its states where we cannot copy them */
export async function copyThread(deps: ThreadDeps, threadId: string): Promise<Thread> {
  const { threadStates, clock, newId } = deps;
  if ((await ownCheckpointer(deps, await getThread(deps, threadId))) !== null)
    throw new AppError(
      "invalid_request",
      "The thread's graph has a checkpointer of its own, which cannot copy",
    );
  return existing(await threadStates.copy(threadId, newId(), clock.now()), threadId);
}

export interface FoundThreads {
  readonly threads: readonly Partial<Thread>[];
  /** Of all that match, on whichever page. */
  readonly total: number;
  /** Where the next page starts, if there is one. */
  readonly next: number | null;
}

export async function searchThreads(
  { threads }: ThreadDeps,
  filter: ThreadFilter,
  page: ThreadPage,
): Promise<FoundThreads> {
  const [found, total] = await Promise.all([threads.search(filter, page), threads.count(filter)]);
  const end = page.offset + page.limit;
  return { threads: found, total, next: total > end ? end : null };
}

function existing(thread: Thread | null, threadId: string): Thread {
  if (thread === null) throw missing(threadId);
  return thread;
}

function missing(threadId: string): AppError {
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

export interface ThreadPage {
  readonly limit: number;
  readonly offset: number;
  readonly sort_by: "thread_id" | "status" | "created_at" | "updated_at" | "state_updated_at";
  readonly sort_order: "asc" | "desc";
  readonly select: readonly ThreadField[];
}

/** The durable record of threads. Those that were made for a single run are never found by a search. */
export interface ThreadStore {
  /** Null when there is one of this id. */
  readonly create: (thread_id: string, metadata: JsonObject, now: Date) => Promise<Thread | null>;
  readonly get: (thread_id: string) => Promise<Thread | null>;
  /** Lays the metadata over what is there; null when there is no such thread. */
  readonly update: (thread_id: string, metadata: JsonObject, now: Date) => Promise<Thread | null>;
  /** Also their runs, events and checkpoints; whoever executes one of the runs finds its lease void. @returns how many there were */
  readonly remove: (thread_ids: readonly string[]) => Promise<number>;
  readonly search: (filter: ThreadFilter, page: ThreadPage) => Promise<readonly Partial<Thread>[]>;
  readonly count: (filter: ThreadFilter) => Promise<number>;
}

/** What a thread is left with when its state was edited. */
export interface EditedState {
  readonly values: unknown;
  /** By the task that waits. */
  readonly interrupts: JsonObject;
}

/** Saves an edit through the checkpointer; repeated from the start when the database asks for that. */
export type EditState = (checkpointer: Checkpointer, thread: Thread) => Promise<EditedState>;

/** Changes to threads that concern their checkpoints. Each happens as a whole or not at all. */
export interface ThreadStateStore {
  /** Edits a thread while no run of it is active, and keeps runs from starting meanwhile. @throws AppError `not_found`, `thread_busy` */
  readonly edit: (thread_id: string, now: Date, work: EditState) => Promise<void>;
  /** Makes a thread with a state. Null when there is one of this id. */
  readonly createWith: (
    thread: { readonly thread_id: string; readonly metadata: JsonObject },
    now: Date,
    work: EditState,
  ) => Promise<Thread | null>;
  /** A new thread with all that has been saved of another; null when that does not exist. */
  readonly copy: (from: string, to: string, now: Date) => Promise<Thread | null>;
}
