/** Schedules: their times, in their time zone, up to their end. */

import { AppError } from "../errors.ts";
import type { Cron } from "./cron-store.ts";

/** When a cron is due. */
type Timing = Pick<Cron, "schedule" | "timezone" | "end_time" | "enabled">;

/**
 * The first time after `after`; null when the cron is not enabled.
 * @throws AppError `invalid_request` for a schedule or a time zone that is none, and when nothing would ever be due
 */
export async function nextTime(timing: Timing, after: Date): Promise<Date | null> {
  const next = await timeAfter(timing, after);
  if (next === null) throw new AppError("invalid_request", `schedule: '${timing.schedule}' never comes`);
  if (!timing.enabled) return null;
  if (timing.end_time === null || next <= timing.end_time) return next;
  const [first, end] = [next.toISOString(), timing.end_time.toISOString()];
  throw new AppError("invalid_request", `end_time: ${end} is before the next time of the schedule, ${first}`);
}

/** The schedule's first time after `after`, whether or not the cron goes on until then. @throws AppError `invalid_request` */
export async function timeAfter(
  { schedule, timezone }: Pick<Timing, "schedule" | "timezone">,
  after: Date,
): Promise<Date | null> {
  checkTimezone(timezone);
  const { Cron: Schedule } = await import("croner");
  try {
    return new Schedule(secondsFirst(schedule), { timezone: timezone ?? "UTC" }).nextRun(after);
  } catch (error) {
    const reason = error instanceof Error ? error.message.replace(/^\w+: /, "") : String(error);
    throw new AppError("invalid_request", `schedule: '${schedule}' is no cron expression: ${reason}`, {
      cause: error,
    });
  }
}

/** On the Platform a sixth field is seconds and comes last; in most of JavaScript it comes first. */
function secondsFirst(schedule: string): string {
  const fields = schedule.trim().split(/\s+/);
  if (fields.length > 6) throw new TypeError("it has more than six fields");
  return fields.length === 6 ? [fields[5], ...fields.slice(0, 5)].join(" ") : schedule;
}

function checkTimezone(timezone: string | null): void {
  if (timezone === null) return;
  try {
    Intl.DateTimeFormat("en", { timeZone: timezone });
  } catch (error) {
    const message = `timezone: '${timezone}' is no time zone; give an IANA name, like Europe/Berlin`;
    throw new AppError("invalid_request", message, { cause: error });
  }
}

export function checkEnd(end: Date, now: Date): void {
  if (end <= now) throw new AppError("invalid_request", `end_time: ${end.toISOString()} has passed`);
}
