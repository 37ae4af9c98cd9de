/** The rules of threads: what a thread id is, and what a thread's state looks like. */

import type { Clock } from "../clock.ts";
import { AppError } from "../errors.ts";
import type { Checkpointer, Checkpointers } from "./execution.ts";
import { withCheckpointer, type Graph, type GraphRegistry, type StateSnapshot } from "./graphs.ts";
import { RepeatedRequest, type Idempotency } from "./idempotency.ts";
import type { JsonObject, Thread, ThreadStatus } from "./model.ts";
import { ownCheckpointer, refuseOwnCheckpointer } from "./own-checkpointers.ts";
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

/** How long a thread is kept from now on, and what becomes of it then. */
export interface ThreadTtl {
  readonly ttl_minutes: number;
  /** `keep_latest` keeps the thread with its newest state, and forgets how it came to it. */
  readonly strategy: PruneStrategy;
}

export type PruneStrategy = "delete" | "keep_latest";

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
  readonly ttl?: ThreadTtl | undefined;
  readonly idempotency?: Idempotency | undefined;
}

export interface NewThread extends Omit<StoredThread, "thread_id"> {
  /** One is made up if absent. */
  readonly thread_id: string | undefined;
  readonly if_exists: "raise" | "do_nothing";
}

/**
 * Makes a thread, or finds the one that is there, if that is wanted or the request has been made before. `make` stores it.
 * @throws AppError `thread_exists`, `not_found`
 */
export async function createThread(
  { threads, threadTtl, clock, newId }: ThreadDeps,
  { thread_id = newId(), if_exists, ttl = threadTtl, ...thread }: NewThread,
  make: (thread: StoredThread, now: Date) => Promise<Thread | null> = threads.create,
): Promise<Thread> {
  try {
    const created = await make({ ...thread, thread_id, ttl }, clock.now());
    if (created !== null) return created;
  } catch (error) {
    if (!(error instanceof RepeatedRequest)) throw error;
    return existing(await threads.get(error.first.thread_id), error.first.thread_id);
  }
  const found = if_exists === "do_nothing" ? await threads.get(thread_id) : null;
  if (found === null) throw new AppError("thread_exists", `Thread '${thread_id}' exists already`);
  return found;
}

/** @throws AppError `not_found` */
export async function getThread(
  { threads }: { readonly threads: Pick<ThreadStore, "get"> },
  threadId: string,
): Promise<Thread> {
  return existing(await threads.get(threadId), threadId);
}

/** Lays metadata over the thread's, and says anew how long it is kept. @throws AppError `not_found` */
export async function updateThread(
  { threads, clock }: ThreadDeps,
  threadId: string,
  changes: ThreadChanges,
): Promise<Thread> {
  return existing(await threads.update(threadId, changes, clock.now()), threadId);
}

/** Leaves nothing of the thread; a run of it that executes just now can write nothing more. @throws AppError `not_found` */
export async function deleteThread(deps: ThreadDeps, threadId: string): Promise<void> {
  if ((await removeThreads(deps, [await getThread(deps, threadId)])) === 0) throw missing(threadId);
}

/**
 * Deletes those of the threads that there are, or what led to their newest state; threads with an active run are not
 * pruned to that.
 * @throws AppError `invalid_request` when a graph keeps its states where we cannot prune them
 */
export async function pruneThreads(
  deps: ThreadDeps,
  ids: readonly string[],
  strategy: PruneStrategy,
): Promise<{ readonly pruned_count: number }> {
  const page = { limit: ids.length, offset: 0, sort_by: "thread_id", sort_order: "asc" } as const;
  const found = await deps.threads.search({ ids }, { ...page, select: ["thread_id", "metadata"] });
  switch (strategy) {
    case "delete":
      return { pruned_count: await removeThreads(deps, found) };
    case "keep_latest":
      for (const thread of found) await refuseOwnCheckpointer(deps, thread, "prune");
      return {
        pruned_count: await deps.threadStates.prune(found.flatMap(({ thread_id }) => thread_id ?? [])),
      };
  }
}

/** Does with threads whose time has come what they asked for. Those with an active run have to wait. @returns how many */
export async function sweepThreads(deps: ThreadDeps, limit: number): Promise<number> {
  const { removed, pruned } = await deps.threadStates.expire(deps.clock.now(), limit);
  for (const thread of removed) await forgetElsewhere(deps, thread);
  return removed.length + pruned;
}

async function removeThreads(deps: ThreadDeps, found: readonly Partial<Thread>[]): Promise<number> {
  const ids = found.flatMap(({ thread_id }) => thread_id ?? []);
  const removed = await deps.threads.remove(ids);
  for (const thread of found) await forgetElsewhere(deps, thread);
  return removed;
}

async function forgetElsewhere(deps: Pick<ThreadDeps, "graphs">, thread: Partial<Thread>): Promise<void> {
  const own = await ownCheckpointer(deps, thread);
  if (thread.thread_id !== undefined) await own?.deleteThread?.(thread.thread_id);
}

/** @throws AppError `not_found`; `invalid_request` when the graph keeps its states where we cannot copy them */
export async function copyThread(deps: ThreadDeps, threadId: string): Promise<Thread> {
  const { threadStates, threadTtl, clock, newId } = deps;
  await refuseOwnCheckpointer(deps, await getThread(deps, threadId), "copy");
  return existing(
    await threadStates.copy(threadId, { thread_id: newId(), ttl: threadTtl }, clock.now()),
    threadId,
  );
}

/** To count all would make a page of a large database slower the more there is in it. */
const COUNTED = 1_000;

export interface FoundThreads {
  readonly threads: readonly FoundThread[];
  /** Of all that match, on whichever page; no more than `COUNTED` beyond this one are counted. */
  readonly total: number;
  /** Where the next page starts, if there is one. */
  readonly next: number | null;
}

export async function searchThreads(
  { threads }: Pick<ThreadDeps, "threads">,
  filter: ThreadFilter,
  page: ThreadPage,
): Promise<FoundThreads> {
  const end = page.offset + page.limit;
  const [found, total] = await Promise.all([
    threads.search(filter, page),
    threads.count(filter, end + COUNTED),
  ]);
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
  /** Null when there is one of this id. @throws RepeatedRequest */
  readonly create: (thread: StoredThread, now: Date) => Promise<Thread | null>;
  readonly get: (thread_id: string) => Promise<Thread | null>;
  /** Null for a thread that stays, or that there is not. */
  readonly expiry: (thread_id: string) => Promise<ThreadExpiry | null>;
  /** Lays the metadata over what is there; null when there is no such thread. */
  readonly update: (thread_id: string, changes: ThreadChanges, now: Date) => Promise<Thread | null>;
  /** Also their runs, events and checkpoints; whoever executes one of the runs finds its lease void. @returns how many there were */
  readonly remove: (thread_ids: readonly string[]) => Promise<number>;
  readonly search: (filter: ThreadFilter, page: ThreadPage) => Promise<readonly FoundThread[]>;
  /** Counts no further than `most`. */
  readonly count: (filter: ThreadFilter, most?: number) => Promise<number>;
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
  readonly edit: (thread_id: string, now: Date, work: EditState) => Promise<void>;
  /** Makes a thread with a state. Null when there is one of this id. @throws RepeatedRequest */
  readonly createWith: (thread: StoredThread, now: Date, work: EditState) => Promise<Thread | null>;
  /** A new thread with all that has been saved of another; null when that does not exist. */
  readonly copy: (
    from: string,
    to: Pick<StoredThread, "thread_id" | "ttl">,
    now: Date,
  ) => Promise<Thread | null>;
  /** Keeps of each thread without an active run only its newest checkpoint, and those of its subgraphs. @returns how many there were */
  readonly prune: (thread_ids: readonly string[]) => Promise<number>;
  /** Deletes threads whose time has come, or prunes them. */
  readonly expire: (now: Date, limit: number) => Promise<Expired>;
}
