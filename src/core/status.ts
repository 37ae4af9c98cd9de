/** How the app is: what it needs, and what is to be done. Asked at once, for a bounded time, and not too often. */

import type { Clock } from "../clock.ts";
import { AppError } from "../errors.ts";
import type { Logger } from "./logger.ts";
import { probe, type Answer } from "./probe.ts";
import type { WakeUpQueue } from "./wake-ups.ts";

/** `degraded`: something is missing that can be done without. `down`: something that cannot. */
export type State = "ok" | "degraded" | "down";

/** The runs that have not ended. */
export interface QueueState {
  /**
   * Those that could execute now, and that nobody has begun: they are due, and nothing of their thread is before them.
   * So neither those of `after_seconds` nor the rest of a long conversation. 10,000 means as many, or more.
   */
  readonly waiting: number;
  readonly running: number;
  /** Since when the first of the waiting ones could execute; null when none waits. */
  readonly oldestWaitingSince: Date | null;
}

/** What the database tells of itself. */
export interface DatabaseState extends QueueState {
  /** Migrations that this release needs and the database lacks. */
  readonly missingMigrations: number;
}

export interface StatusStore {
  /** One round trip, whose cost does not grow with the runs that have ended. @throws AppError `unavailable` */
  readonly read: () => Promise<DatabaseState>;
}

/**
 * Asks something that graphs need. It is down when this throws, gives `false` or a `Response` that is not ok, or has not
 * answered in time; then the signal aborts.
 */
export type Check = (signal: AbortSignal) => unknown;

export interface StatusCheck {
  readonly name: string;
  readonly check: Check;
  /** Whether the app is down without it, or only degraded. */
  readonly isRequired: boolean;
  readonly timeoutMs: number;
  /** How old an answer may be. */
  readonly maxAgeMs: number;
}

export interface StatusDeps {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly newId: () => string;
  readonly queue: WakeUpQueue;
  readonly statuses: StatusStore;
  readonly checks: readonly StatusCheck[];
}

/** What became of asking one thing; why it is not well is a sentence that may be shown. */
interface Part {
  readonly latency_ms: number;
  readonly checked_at: Date;
  readonly detail?: string;
}

export interface Status {
  readonly status: State;
  /** `missing_migrations` is null when it is down. */
  readonly database: Part & { readonly status: State; readonly missing_migrations: number | null };
  /** `off` where none is set up. Null where it cannot be told. */
  readonly queue: Part & {
    readonly status: "ok" | "down" | "off";
    readonly messages: number | null;
    readonly dead_letters: number | null;
  };
  /** Null when the database is down. The age is that of the oldest waiting run, in seconds; 0 when none waits. */
  readonly runs: {
    readonly waiting: number;
    readonly running: number;
    readonly oldest_waiting_age_s: number;
  } | null;
  readonly checks: Readonly<
    Record<string, Part & { readonly status: "ok" | "down"; readonly is_required: boolean }>
  >;
}

/** The database and the queue must answer within this. */
const TIMEOUT_MS = 3_000;
const MAX_AGE_MS = 5_000;

/** Never rejects, and takes no longer than the slowest of what it asks may. */
export type ReadStatus = () => Promise<Status>;

/** However many ask at a time, each thing is asked once; what it answered is good for some seconds. */
export function openStatus(deps: StatusDeps): ReadStatus {
  const limits = { timeoutMs: TIMEOUT_MS, maxAgeMs: MAX_AGE_MS };
  const askDatabase = probe(deps, { name: "database", ...limits, ask: deps.statuses.read });
  const askQueue = probe(deps, {
    name: "queue",
    ...limits,
    ask: async (signal) => ((await isSetUp(deps.queue)) ? deps.queue.depth(signal) : null),
  });
  const askChecks = deps.checks.map(({ check, isRequired, ...asked }) => {
    const ask = probe(deps, { ...asked, ask: async (signal) => insist(await check(signal)) });
    return async () => [asked.name, { ...checkPart(await ask()), is_required: isRequired }] as const;
  });
  return async () => {
    const [inDatabase, inQueue, checked] = await Promise.all([
      askDatabase(),
      askQueue(),
      Promise.all(askChecks.map(async (ask) => ask())),
    ]);
    const database = databasePart(inDatabase);
    const queue = queuePart(inQueue);
    const needed = [database, queue, ...checked.flatMap(([, part]) => (part.is_required ? [part] : []))];
    const isDown = needed.some(({ status }) => status === "down");
    const isWell = database.status === "ok" && checked.every(([, { status }]) => status === "ok");
    return {
      status: isDown ? "down" : isWell ? "ok" : "degraded",
      database,
      queue,
      runs: inDatabase.value === undefined ? null : runsPart(inDatabase.value, deps.clock.now()),
      checks: Object.fromEntries(checked),
    };
  };
}

/** Where background runs are not served at all, nothing is wrong with a queue that is not there. */
async function isSetUp(queue: WakeUpQueue): Promise<boolean> {
  if (queue.outlivesProcess()) return true;
  return queue.check().then(
    () => true,
    () => false,
  );
}

/** @throws AppError for what a check gives that says that not all is well */
async function insist(answer: unknown): Promise<true> {
  if (answer === false) throw new AppError("unavailable", "It says that it is not well");
  if (!(answer instanceof Response)) return true;
  if (!answer.bodyUsed) await answer.body?.cancel();
  if (!answer.ok) throw new AppError("unavailable", `It answers with the status ${answer.status}`);
  return true;
}

function databasePart(answer: Answer<DatabaseState>): Status["database"] {
  const missing = answer.value?.missingMigrations ?? null;
  if (missing === null || missing === 0) return { ...checkPart(answer), missing_migrations: missing };
  const detail = "The schema is older than this release: run `langgraph-functions migrate`";
  return { ...checkPart(answer), status: "degraded", missing_migrations: missing, detail };
}

function queuePart(answer: Answer<Awaited<ReturnType<WakeUpQueue["depth"]>> | null>): Status["queue"] {
  const part = checkPart(answer);
  if (answer.value === null) return { ...part, status: "off", messages: null, dead_letters: null };
  const { messages = null, deadLetters = null } = answer.value ?? {};
  return { ...part, messages, dead_letters: deadLetters };
}

function runsPart(state: QueueState, now: Date): Status["runs"] {
  const { waiting, running } = state;
  return { waiting, running, oldest_waiting_age_s: ageSeconds(state, now) };
}

function checkPart({ latencyMs, checkedAt, detail }: Answer<unknown>): Part & { status: "ok" | "down" } {
  const part = { latency_ms: latencyMs, checked_at: checkedAt };
  return detail === undefined ? { status: "ok", ...part } : { status: "down", ...part, detail };
}

/** Of the oldest waiting run, whole seconds; 0 when none waits. */
export function ageSeconds({ oldestWaitingSince }: QueueState, now: Date): number {
  if (oldestWaitingSince === null) return 0;
  return Math.max(0, Math.floor((now.getTime() - oldestWaitingSince.getTime()) / 1000));
}
