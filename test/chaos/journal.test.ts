import { expect, test, vi } from "vitest";
import type { Clock } from "../../src/clock.ts";
import type { ClaimedRun, ClaimStore } from "../../src/core/ports.ts";
import type { RunEvent } from "../../src/core/model.ts";
import { Journal, LeaseLost } from "../../src/engine/journal.ts";

const run: ClaimedRun = {
  run_id: "r",
  lease_id: "l",
  thread_id: "t",
  graph_id: "g",
  assistant_id: "a",
  metadata: {},
  kwargs: { config: {}, stream_mode: ["values"] },
  claims: 1,
  attempt: 1,
  last_seq: 0,
  is_fresh: false,
  is_temporary: false,
  started_at: new Date(),
  waited_s: 0,
  cancel_action: null,
};

/** Goes on when the test says so. */
function testClock() {
  let now = 0;
  const sleepers: { readonly until: number; readonly wake: () => void }[] = [];
  const tasks: { readonly everyMs: number; readonly task: () => Promise<void> }[] = [];
  const clock: Clock = {
    now: () => new Date(now),
    sleep: async (ms) => new Promise((wake) => void sleepers.push({ until: now + ms, wake })),
    until: async (time) => clock.sleep(time.getTime() - now),
    every: (everyMs, task) => {
      tasks.push({ everyMs, task });
      return { [Symbol.dispose]: () => void tasks.splice(0) };
    },
  };
  const settle = async (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
  return {
    clock,
    advance: async (ms: number): Promise<void> => {
      const before = now;
      now += ms;
      for (const { until, wake } of sleepers) if (until > before && until <= now) wake();
      for (const { everyMs, task } of tasks)
        if (Math.floor(now / everyMs) > Math.floor(before / everyMs)) void task();
      await settle();
    },
  };
}

/** A log whose answers come when the test says so. */
function slowLog() {
  const logged: RunEvent[] = [];
  const waiting: (() => void)[] = [];
  const beat: ClaimStore["beat"] = async (_run, _term, events) => {
    const arrived = [...events];
    await new Promise<void>((resolve) => void waiting.push(resolve));
    logged.push(...arrived);
    return { held: true, cancel: null };
  };
  const none = async (): Promise<never> => {
    throw new Error("Not for a journal");
  };
  const claims: ClaimStore = {
    beat,
    claim: none,
    finish: none,
    rollback: none,
    release: none,
    logged: none,
    recover: none,
  };
  return {
    claims,
    logged: () => logged.map(({ seq }) => seq),
    isAsked: () => waiting.length > 0,
    answer: () => waiting.shift()?.(),
  };
}

test("events that come while others are on their way to the log are not lost", async () => {
  const { clock, advance } = testClock();
  const log = slowLog();
  const journal = new Journal({ claims: log.claims, clock, leaseMs: 30_000 }, run);
  await journal.write("values", 1);
  await advance(100);
  expect(log.isAsked()).toBe(true);
  await journal.write("values", 2);
  log.answer();
  await advance(100);
  await vi.waitFor(() => expect(log.isAsked()).toBe(true), { timeout: 15_000 }); // the next batch needs no further event to set it off
  log.answer();
  await vi.waitFor(() => expect(log.logged()).toEqual([1, 2]), { timeout: 15_000 });
  await journal.write("values", 3);
  expect((await journal.takeRest()).map(({ seq }) => seq)).toEqual([3]);
});

test("no batch follows the last one", async () => {
  const { clock, advance } = testClock();
  const log = slowLog();
  const journal = new Journal({ claims: log.claims, clock, leaseMs: 30_000 }, run);
  await journal.write("values", 1);
  expect(await journal.takeRest()).toHaveLength(1);
  await advance(2_000);
  expect(log.isAsked()).toBe(false);
});

test("what was streamed since a state began to be saved is logged with that state, and not by a heartbeat before it", async () => {
  const { clock, advance } = testClock();
  const log = slowLog();
  const journal = new Journal({ claims: log.claims, clock, leaseMs: 30_000 }, run);
  const save = journal.hold();
  await journal.write("values", 1);
  const withState = journal.pending();
  await journal.write("values", 2);
  await advance(1_000);
  log.answer(); // the heartbeat goes on, with nothing to log
  await advance(100);
  expect(log.logged()).toEqual([]);
  journal.logged(withState);
  save[Symbol.dispose]();
  await advance(100);
  await vi.waitFor(() => expect(log.isAsked()).toBe(true), { timeout: 15_000 });
  log.answer();
  await vi.waitFor(() => expect(log.logged()).toEqual([2]), { timeout: 15_000 });
});

test("an executor stops when its lease has lapsed while the database did not answer", async () => {
  const { clock, advance } = testClock();
  const journal = new Journal({ claims: slowLog().claims, clock, leaseMs: 30_000 }, run);
  await advance(29_000);
  expect(journal.signal.aborted).toBe(false);
  await advance(1_000);
  expect(journal.signal.reason).toBeInstanceOf(LeaseLost);
});

test("a graph waits before it gives out more numbers than its successor leaves free", async () => {
  const { clock, advance } = testClock();
  const log = slowLog();
  const journal = new Journal({ claims: log.claims, clock, leaseMs: 30_000 }, run);
  for (let count = 1; count < 10_000; count += 1) await journal.write("messages", count);
  let isThrough = false;
  const last = journal.write("messages", "last").then(() => (isThrough = true));
  await advance(1_000);
  expect(isThrough).toBe(false);
  log.answer();
  await last;
  await advance(1_000);
  const successor = new Journal({ claims: log.claims, clock, leaseMs: 30_000 }, { ...run, attempt: 2 });
  await successor.write("messages", "first");
  expect(successor.since(10_000)).toMatchObject([{ seq: 10_001 }]);
});
