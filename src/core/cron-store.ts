/** The durable record of crons, and what the timer asks of it. */

import type { AppError } from "../errors.ts";
import type { Mandate, Scope } from "./auth.ts";
import type { JsonObject } from "./model.ts";
import type { NewRun } from "./ports.ts";

/** A cron as clients see it. */
export interface Cron {
  readonly cron_id: string;
  readonly assistant_id: string;
  /** Null when each run gets a thread of its own. */
  readonly thread_id: string | null;
  /** Five fields: minute, hour, day of the month, month, day of the week; a sixth is seconds. */
  readonly schedule: string;
  /** By its IANA name; null is UTC. */
  readonly timezone: string | null;
  /** Nothing is due after it. */
  readonly end_time: Date | null;
  readonly enabled: boolean;
  /** What becomes of a run's own thread; null where runs have none. */
  readonly on_run_completed: "delete" | "keep" | null;
  /** The runs, as a client would ask for them; without metadata. */
  readonly payload: JsonObject;
  /** Of the cron, and of its runs. */
  readonly metadata: JsonObject;
  readonly user_id: string | null;
  /** Null when nothing is due any more. */
  readonly next_run_date: Date | null;
  readonly created_at: Date;
  readonly updated_at: Date;
}

/** What makes a new one. */
export type NewCron = Omit<Cron, "cron_id" | "user_id" | "next_run_date" | "created_at" | "updated_at">;
/** Undefined stays as it is; metadata and payload are laid over what is there. */
export type CronPatch = {
  readonly [Field in "schedule" | "timezone" | "end_time" | "enabled" | "on_run_completed"]?:
    Cron[Field] | undefined;
} & { readonly payload: JsonObject; readonly metadata: JsonObject };

/** Which crons; a filter that is absent lets all pass. */
export interface CronFilter {
  readonly assistant_id?: string | undefined;
  readonly thread_id?: string | undefined;
  readonly enabled?: boolean | undefined;
  /** Contained in the cron's. */
  readonly metadata?: JsonObject | undefined;
}

export interface CronPage {
  readonly limit: number;
  readonly offset: number;
  readonly sort_by: "cron_id" | "assistant_id" | "thread_id" | "created_at" | "updated_at" | "next_run_date";
  readonly sort_order: "asc" | "desc";
  readonly select: readonly (keyof Cron)[];
}

/** The durable record of crons. They go with their thread; a cron's `user_id` is whom it belongs to. */
export interface CronStore {
  /** `threads` are those that its runs may be on. @throws AppError `not_found` when its thread is none of them */
  readonly create: (cron: Cron, threads: Scope, mandate: Mandate) => Promise<void>;
  readonly get: (cron_id: string, scope: Scope) => Promise<Cron | null>;
  /**
   * Stores a changed cron, if nobody has changed it since `seen`; its next time only if there is another one, as the
   * timer moves that on. Null when somebody has, or it is gone.
   */
  readonly update: (
    cron: Cron,
    scope: Scope,
    seen: Date,
    next: Date | null | undefined,
  ) => Promise<Cron | null>;
  readonly remove: (cron_id: string, scope: Scope) => Promise<boolean>;
  readonly search: (filter: CronFilter, scope: Scope, page: CronPage) => Promise<readonly Partial<Cron>[]>;
  readonly count: (filter: CronFilter, scope: Scope) => Promise<number>;
}

/** A cron that is due, and was at that time. */
export interface DueCron extends Cron, Pick<Mandate, "principal" | "scopes"> {
  readonly next_run_date: Date;
}

export interface CronMove {
  /** False when another process was first. */
  readonly hasMoved: boolean;
  /** Why it has moved on without a run. */
  readonly refusal?: AppError;
}

/** What the timer asks of the record. */
export interface CronCalendar {
  /** The longest due first. */
  readonly due: (now: Date, limit: number) => Promise<readonly DueCron[]>;
  /** Moves a cron on to its next time and stores the run of the time that it was due at, if there is one: both or neither. */
  readonly fire: (cron: DueCron, next: Date | null, now: Date, run: NewRun | null) => Promise<CronMove>;
}
