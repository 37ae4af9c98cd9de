import { expect, test } from "vitest";
import type { Clock } from "../../src/clock.ts";
import { openAlarm } from "../../src/core/alarm.ts";

const LEASE_MS = 30_000;
const BEAT_MS = 1_000;

/** A process whose time the test moves, and which may execute something. */
function testProcess({ outlivesProcess = true, refusesUntil = 0 } = {}) {
  let now = 0;
  let isExecuting = true;
  const sleepers: { readonly at: number; readonly wake: () => void }[] = [];
  const alarms: { readonly sentAt: number; readonly comesAt: number }[] = [];
  const warnings: string[] = [];
  const until: Clock["until"] = async (time) =>
    time.getTime() <= now
      ? undefined
      : new Promise((wake) => void sleepers.push({ at: time.getTime(), wake }));
  const alarm = openAlarm({
    clock: {
      now: () => new Date(now),
      until,
      sleep: async () => undefined,
      every: () => ({ [Symbol.dispose]: () => undefined }),
    },
    queue: {
      check: async () => undefined,
      depth: async () => ({ messages: 0 }),
      outlivesProcess: () => outlivesProcess,
      send: async (_, { notBefore } = {}) => {
        if (now < refusesUntil) throw new Error("The queue is away");
        alarms.push({ sentAt: now, comesAt: notBefore?.getTime() ?? 0 });
      },
    },
    logger: {
      info: () => undefined,
      warn: (_, message) => void warnings.push(message),
      error: () => undefined,
    },
    leaseMs: LEASE_MS,
    isExecuting: () => isExecuting,
  });
  const advance = async (ms: number): Promise<void> => {
    const before = now;
    now += ms;
    for (const { at, wake } of sleepers) if (at > before && at <= now) wake();
    await new Promise((resolve) => setImmediate(resolve));
  };
  return {
    alarms,
    warnings,
    /** Holds leases for so long, each second anew. @returns when the last one lapses */
    execute: async (ms: number): Promise<number> => {
      isExecuting = true;
      let lapses = 0;
      for (let passed = 0; passed < ms; passed += BEAT_MS) {
        lapses = now + LEASE_MS;
        alarm(new Date(lapses));
        await advance(Math.min(BEAT_MS, ms - passed) / 2);
        if (passed + BEAT_MS >= ms) isExecuting = false;
        await advance(Math.min(BEAT_MS, ms - passed) / 2);
      }
      return lapses;
    },
  };
}

test.each([1, 2, 10, 14, 15, 16, 17, 29, 30, 31, 47, 90])(
  "after a death %i s into an execution, an alarm comes when the last lease has lapsed, and at most half a lease later",
  async (seconds) => {
    const process = testProcess();
    const lapses = await process.execute(seconds * 1_000);
    const last = process.alarms.at(-1)?.comesAt ?? 0;
    expect(last).toBeGreaterThan(lapses);
    expect(last).toBeLessThanOrEqual(lapses + LEASE_MS / 2 + 2_000);
  },
);

test("however many leases are held, one message goes out for each half of one", async () => {
  const { alarms, execute } = testProcess();
  await execute(10 * LEASE_MS);
  expect(alarms.length).toBeLessThanOrEqual(21);
  expect(alarms.length).toBeGreaterThanOrEqual(19);
});

test("an execution that is over in no time sends nothing", async () => {
  const { alarms, execute } = testProcess();
  await execute(300);
  expect(alarms).toEqual([]);
});

test("where no queue outlives the process, nothing is sent", async () => {
  const { alarms, execute } = testProcess({ outlivesProcess: false });
  await execute(LEASE_MS);
  expect(alarms).toEqual([]);
});

test("an alarm that cannot be sent is logged, and tried again every few seconds", async () => {
  const { alarms, warnings, execute } = testProcess({ refusesUntil: 12_000 });
  const lapses = await execute(20_000);
  expect(warnings.length).toBeGreaterThanOrEqual(2);
  expect(warnings.length).toBeLessThanOrEqual(4);
  expect(alarms.at(-1)?.comesAt).toBeGreaterThan(lapses);
});
