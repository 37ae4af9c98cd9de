import { expect, test } from "vitest";
import { systemClock } from "../../src/clock.ts";
import { signDueMs, takeSign } from "../../src/core/sign-of-life.ts";

const now = new Date("2026-11-21T12:00:00Z");
const clock = { ...systemClock, now: () => now };
const ago = (seconds: number) => new Date(now.getTime() - seconds * 1000);
const dueMs = (signOfLifeMs: number | undefined, createdAt: Date, outlivesProcess = true) =>
  signDueMs(
    { queue: { outlivesProcess: () => outlivesProcess }, clock },
    signOfLifeMs === undefined ? {} : { signOfLifeMs },
    createdAt,
  );

test("the first sign of life is due when the setting says, each other one when the run is twice as old", () => {
  expect([0, 59, 60, 121, 900].map((age) => dueMs(60_000, ago(age)))).toEqual([
    60_000, 60_000, 60_000, 121_000, 900_000,
  ]);
});

test("a run that has waited for days is watched all the same", () => {
  expect(dueMs(60_000, ago(864_000))).toBe(3_600_000);
});

test("the client is not asked where the host sees it leave, or no worker could go on", () => {
  expect(dueMs(undefined, ago(600))).toBeUndefined();
  expect(dueMs(60_000, ago(600), false)).toBeUndefined();
});

/** Until how many seconds from now the run waits for its client. */
async function awaitedSeconds(invocation: object, afterMs?: number, outlivesProcess = true) {
  const told: (number | null)[] = [];
  const signs = {
    ask: async (_: string, { until }: { until: Date }) =>
      told.push((until.getTime() - now.getTime()) / 1000) > 1,
    given: async () => void told.push(null),
  };
  await takeSign(
    { signs, queue: { outlivesProcess: () => outlivesProcess }, clock },
    invocation,
    "run",
    afterMs,
  );
  return told;
}

test("a client that is back has until its stream is broken off, and some time to come back from there", async () => {
  const deadline = new Date(now.getTime() + 20_000);
  expect(await awaitedSeconds({ signOfLifeMs: 60_000 }, 90_000)).toEqual([120]);
  expect(await awaitedSeconds({ signOfLifeMs: 60_000, deadline }, 90_000)).toEqual([50]);
  expect(await awaitedSeconds({ signOfLifeMs: 60_000, deadline })).toEqual([null]); // it only waits
});

test("the database is asked nothing where nobody is ever asked for a sign of life", async () => {
  expect(await awaitedSeconds({}, 90_000)).toEqual([]);
  expect(await awaitedSeconds({ signOfLifeMs: 60_000 }, undefined, false)).toEqual([]);
});
