/** The clock of a machine whose time is off by `CLOCK_OFFSET_MS`. */

import { type Clock, systemClock as trueClock } from "../../src/clock.ts";

const offsetMs = Number(process.env["CLOCK_OFFSET_MS"] ?? 0);

export type { Clock };
export const systemClock: Clock = {
  ...trueClock,
  now: () => new Date(trueClock.now().getTime() + offsetMs),
  until: async (time, signal) => trueClock.until(new Date(time.getTime() - offsetMs), signal),
};
