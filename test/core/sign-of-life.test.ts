import { expect, test } from "vitest";
import { systemClock } from "../../src/clock.ts";
import { signDueMs } from "../../src/core/sign-of-life.ts";

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
