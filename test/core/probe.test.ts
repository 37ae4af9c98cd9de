import { setImmediate as turn } from "node:timers/promises";
import { expect, test } from "vitest";
import type { Clock } from "../../src/clock.ts";
import { probe } from "../../src/core/probe.ts";

/** A clock that somebody else turns; what does not answer at once has not answered in time. */
function turnedClock(): { readonly clock: Clock; readonly pass: (ms: number) => void } {
  let now = new Date("2026-01-01T00:00:00Z");
  const never = (): never => {
    throw new Error("Nobody waits for this");
  };
  const clock = { now: () => now, sleep: async () => turn(), until: never, every: never };
  return { clock, pass: (ms) => (now = new Date(now.getTime() + ms)) };
}

/** What asks one after the other of these. */
function asking(answers: readonly (() => Promise<string>)[], maxAgeMs: number) {
  const { clock, pass } = turnedClock();
  let asked = 0;
  const logger = { info: () => undefined, warn: () => undefined, error: () => undefined };
  const ask = async (): Promise<string> => answers[asked++]?.() ?? "asked too often";
  const read = probe({ clock, logger, newId: () => "id" }, { name: "model", timeoutMs: 50, maxAgeMs, ask });
  return { read, pass, asked: () => asked };
}
const well = async (): Promise<string> => "well";

test("what never lets go of a question is asked again after a minute, and believed when it answers", async () => {
  const { read, pass, asked } = asking([async () => new Promise(() => undefined), well], 0);
  for (let second = 0; second < 60; second += 10) {
    expect((await read()).detail).toBe("It has not answered within 50 ms (error id id)");
    pass(10_000);
  }
  expect(asked()).toBe(1);
  expect((await read()).value).toBe("well");
  expect(asked()).toBe(2);
});

test("an answer is kept for as long as it may be old, but a failure for five seconds", async () => {
  const fails = async (): Promise<string> => Promise.reject(new Error("down"));
  const { read, pass, asked } = asking([fails, well, well], 60_000);
  expect((await read()).detail).toBe("It failed (error id id)");
  pass(4_999);
  expect((await read()).value).toBeUndefined();
  pass(1);
  expect((await read()).value).toBe("well");
  pass(59_999);
  await read();
  expect(asked()).toBe(2);
  pass(1);
  await read();
  expect(asked()).toBe(3);
});
