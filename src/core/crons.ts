/** The rules of crons: runs that are asked for again and again, at the times of a schedule. */

import { isDeepStrictEqual } from "node:util";
import type { Clock } from "../clock.ts";
import { AppError } from "../errors.ts";
import { mandated, type Caller, type Scope } from "./auth.ts";
import type { Cron, NewCron, CronPatch, CronFilter, CronPage, CronStore } from "./cron-store.ts";
import type { JsonObject } from "./model.ts";
import { foundOn, type Found } from "./paging.ts";
import { checkEnd, nextTime } from "./schedule.ts";
import { createThread, type ThreadDeps } from "./threads.ts";
import type { WakeUpQueue } from "./wake-ups.ts";

export interface CronDeps {
  readonly crons: CronStore;
  readonly queue: WakeUpQueue;
  readonly clock: Clock;
  readonly newId: () => string;
}

/** Whether the runs that a cron asks for can be made, and of which assistant. @throws AppError why not */
export type CheckRuns = (
  cron: NewCron,
  caller: Caller,
) => Promise<{ readonly assistant: { readonly assistant_id: string } }>;

export interface CronMaking {
  readonly check: CheckRuns;
  /** Whether the thread that it names is made where it is missing. */
  readonly makesThread: boolean;
}

/**
 * Stores a cron; its first run is at its first time, and each on behalf of the caller, with what is allowed to them now.
 * @throws AppError `invalid_request`, `not_found`, `forbidden`, `unavailable`
 */
export async function createCron(
  deps: CronDeps & ThreadDeps,
  caller: Caller,
  wanted: NewCron,
  { check, makesThread }: CronMaking,
): Promise<Cron> {
  const { caller: asking, mandate } = mandated(caller);
  const { assistant } = await check(wanted, asking);
  if (makesThread && wanted.thread_id !== null) await makeThread(deps, caller, wanted.thread_id);
  const now = deps.clock.now();
  if (wanted.end_time !== null) checkEnd(wanted.end_time, now);
  const next_run_date = await nextTime(wanted, now);
  const cron = {
    ...wanted,
    cron_id: deps.newId(),
    user_id: caller.owner,
    assistant_id: assistant.assistant_id,
  };
  const runs = await grantRuns(asking, cron);
  const { thread_id, schedule, user_id, end_time } = cron;
  const { value } = await asking.authorize("crons:create", {
    cron_id: cron.cron_id,
    thread_id,
    schedule,
    payload: runs.payload,
    user_id,
    end_time: end_time?.toISOString() ?? null,
    metadata: { ...runs.metadata },
  });
  const { payload, metadata } = value;
  if (!isDeepStrictEqual(payload, cron.payload)) await check({ ...wanted, payload }, asking);
  const stored = { ...cron, payload, metadata, next_run_date, created_at: now, updated_at: now };
  if (next_run_date !== null) await wakeAt(deps, next_run_date);
  await deps.crons.create(stored, runs.scope, mandate);
  return stored;
}

/** Another's thread is left to the cron, which is refused as it does not find it. */
async function makeThread(deps: ThreadDeps, caller: Caller, thread_id: string): Promise<void> {
  try {
    await createThread(deps, caller, { thread_id, metadata: {}, if_exists: "do_nothing" });
  } catch (error) {
    if (!(error instanceof AppError) || error.code !== "thread_exists") throw error;
  }
}

/** Which threads its runs may be on, and what they may be asked with. @throws AppError `forbidden` */
async function grantRuns(
  caller: Caller,
  { thread_id, assistant_id, metadata, payload }: Pick<Cron, keyof NewCron>,
): Promise<{ readonly scope: Scope; readonly metadata: JsonObject; readonly payload: JsonObject }> {
  const { value, scope } = await caller.authorize("threads:create_run", {
    thread_id,
    assistant_id,
    status: "pending",
    metadata: { ...metadata },
    kwargs: { ...payload },
  });
  return { scope, metadata: value.metadata, payload: value.kwargs };
}

/** @throws AppError `not_found`, `forbidden` */
export async function getCron(
  { crons }: Pick<CronDeps, "crons">,
  caller: Caller,
  cronId: string,
): Promise<Cron> {
  const { scope } = await caller.authorize("crons:read", { cron_id: cronId });
  return findCron(crons, cronId, scope);
}

async function findCron(crons: CronStore, cronId: string, scope: Scope): Promise<Cron> {
  const cron = await crons.get(cronId, scope);
  if (cron === null) throw missing(cronId);
  return cron;
}

/** A change that is asked for. */
export interface CronChange {
  readonly patch: CronPatch;
  /** Throws when such a cron is not to be changed so. */
  readonly allow: (cron: Cron) => Promise<void>;
  /** Is asked about what comes of it when its runs are others. */
  readonly check: CheckRuns;
}

/**
 * Changes a cron; its runs stay those of who made it. Another schedule counts from now.
 * @throws AppError `invalid_request`, `not_found`, `forbidden`, `unavailable`
 */
export async function updateCron(
  deps: CronDeps,
  caller: Caller,
  cronId: string,
  { patch: asked, allow, check }: CronChange,
): Promise<Cron> {
  const { payload, schedule, metadata } = asked;
  const change = { cron_id: cronId, payload, schedule, metadata: { ...metadata } };
  const { value, scope } = await caller.authorize("crons:update", change);
  const patch = { ...asked, payload: value.payload, metadata: value.metadata };
  for (let attempt = 1; attempt <= ATTEMPTS; attempt += 1) {
    const now = deps.clock.now();
    const cron = await findCron(deps.crons, cronId, scope);
    await allow(cron);
    const changed = await withRuns(caller, patched(cron, patch, now), patch, check);
    const next = isTimed(patch) ? await nextTime(changed, now) : undefined;
    if (next != null) await wakeAt(deps, next);
    const stored = await deps.crons.update(changed, scope, cron.updated_at, next);
    if (stored !== null) return stored;
  }
  throw new AppError("unavailable", `Cron '${cronId}' is being changed by too many others`);
}

/** Who changes what runs do must be allowed to ask for such; one whose graph is gone can still be stopped. */
async function withRuns(caller: Caller, cron: Cron, patch: CronPatch, check: CheckRuns): Promise<Cron> {
  const [hasPayload, hasMetadata] = [patch.payload, patch.metadata].map(
    (part) => Object.keys(part).length > 0,
  );
  if (hasPayload === true) await check(cron, caller);
  if (hasPayload !== true && hasMetadata !== true) return cron;
  const { metadata, payload } = await grantRuns(caller, cron);
  if (!isDeepStrictEqual(payload, cron.payload)) await check({ ...cron, payload }, caller);
  return { ...cron, metadata, payload };
}

/** Another change, or the deletion, may come between reading and writing. */
const ATTEMPTS = 5;

/** @throws AppError `invalid_request` */
function patched(cron: Cron, { payload, metadata, ...fields }: CronPatch, now: Date): Cron {
  if (fields.end_time) checkEnd(fields.end_time, now);
  const given = Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
  return {
    ...cron,
    ...given,
    ...(cron.thread_id === null ? {} : { on_run_completed: null }), // its runs have no thread of their own
    payload: { ...cron.payload, ...payload },
    metadata: { ...cron.metadata, ...metadata },
    updated_at: new Date(Math.max(now.getTime(), cron.updated_at.getTime() + 1)), // tells versions apart
  };
}

function isTimed(patch: CronPatch): boolean {
  const { schedule, timezone, end_time, enabled } = patch;
  return [schedule, timezone, end_time, enabled].some((value) => value !== undefined);
}

/** `allow` throws when such a cron is not to be deleted. @throws AppError `not_found`, `forbidden` */
export async function deleteCron(
  { crons }: Pick<CronDeps, "crons">,
  caller: Caller,
  cronId: string,
  allow: CronChange["allow"],
): Promise<void> {
  const { scope } = await caller.authorize("crons:delete", { cron_id: cronId });
  await allow(await findCron(crons, cronId, scope));
  if (!(await crons.remove(cronId, scope))) throw missing(cronId);
}

/** @throws AppError `forbidden` */
export async function searchCrons(
  { crons }: Pick<CronDeps, "crons">,
  caller: Caller,
  filter: CronFilter,
  { limit, offset, ...page }: CronPage,
): Promise<Found<Partial<Cron>>> {
  const { value, scope } = await caller.authorize("crons:search", { ...filter, limit, offset });
  const { limit: most, offset: start, ...allowed } = value;
  const [found, total] = await Promise.all([
    crons.search(allowed, scope, { ...page, limit: most, offset: start }),
    crons.count(allowed, scope),
  ]);
  return foundOn(value, found, total);
}

/** @throws AppError `forbidden` */
export async function countCrons(
  { crons }: Pick<CronDeps, "crons">,
  caller: Caller,
  filter: CronFilter,
): Promise<number> {
  const { value, scope } = await caller.authorize("crons:search", { ...filter });
  return crons.count(value, scope);
}

/** Before the cron is stored: a wake-up too many finds nothing, one too few would let the cron wait for the timer. */
async function wakeAt({ queue }: Pick<CronDeps, "queue">, notBefore: Date): Promise<void> {
  await queue.send({ tick: true }, { notBefore });
}

function missing(cronId: string): AppError {
  return new AppError("not_found", `Cron '${cronId}' not found`);
}
