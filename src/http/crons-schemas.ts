/** What the Platform's cron endpoints take and answer. */

import { z } from "zod";
import { JsonObject } from "./native-schemas.ts";
import { RunFields } from "./runs-schemas.ts";

const Schedule = z.string().max(200).meta({
  description: "Five fields: minute, hour, day of the month, month, day of the week; a sixth is seconds.",
});
const Timezone = z.string().max(100).meta({ description: "An IANA name; null is UTC." });
/** With an offset, or in UTC. */
const Time = z.iso.datetime({ offset: true, local: true }).transform((text) => {
  return new Date(/([zZ]|[+-]\d\d:?\d\d)$/.test(text) ? text : `${text}Z`);
});

/** What each run is asked for with; what concerns a client that waits, or the moment of asking, makes no sense here. */
const CronRun = RunFields.omit({
  on_disconnect: true,
  if_not_exists: true,
  after_seconds: true,
  strict_resume: true,
});

const Common = CronRun.extend({
  if_not_exists: RunFields.shape.if_not_exists.meta({
    description: "`create` makes the thread if there is none; runs on threads of their own have one anyway.",
  }),
  schedule: Schedule,
  timezone: Timezone.nullish(),
  end_time: Time.nullish().meta({ description: "Without an offset, it is UTC." }),
  enabled: z.boolean().nullish(),
});

/** Each of its runs gets a thread of its own. */
export const CronCreate = Common.extend({ on_run_completed: z.enum(["delete", "keep"]).nullish() });

/** Its runs are the thread's. */
export const ThreadCronCreate = Common.extend({
  on_run_completed: z.literal("keep", "only runs without a thread have one that can be deleted").nullish(),
});

/** Absent leaves what is there. */
export const CronPatch = CronCreate.omit({ assistant_id: true, if_not_exists: true }).partial();

const cron = {
  cron_id: z.uuid(),
  assistant_id: z.uuid(),
  thread_id: z.string().nullable(),
  schedule: z.string(),
  timezone: z.string().nullable(),
  end_time: z.iso.datetime().nullable(),
  enabled: z.boolean(),
  on_run_completed: z.enum(["delete", "keep"]).nullable(),
  payload: JsonObject,
  metadata: JsonObject,
  user_id: z.string().nullable(),
  next_run_date: z.iso.datetime().nullable(),
  created_at: z.iso.datetime(),
  updated_at: z.iso.datetime(),
};
export const CronAnswer = z.object(cron);
export const CronFound = CronAnswer.partial().extend({ now: z.iso.datetime().optional() });

const filter = {
  assistant_id: z.string().nullish(),
  thread_id: z.string().nullish(),
  enabled: z.boolean().nullish(),
  metadata: JsonObject.nullish(),
};

export const CronSearch = z.strictObject({
  ...filter,
  limit: z.int().min(1).max(1000).nullish(),
  offset: z.int().min(0).nullish(),
  sort_by: z
    .enum(["cron_id", "assistant_id", "thread_id", "created_at", "updated_at", "next_run_date"])
    .nullish(),
  sort_order: z.enum(["asc", "desc"]).nullish(),
  select: z
    .array(z.enum([...CronAnswer.keyof().options, "now"]))
    .min(1)
    .nullish(),
});

export const CronCount = z.strictObject(filter);
