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

test("what never lets go of a question is asked again after a minute, and believed when it answers", async () => {
  const { clock, pass } = turnedClock();
  const answers: Promise<string>[] = [new Promise(() => undefined), Promise.resolve("well")];
  let asked = 0;
  const ask = async (): Promise<string> => answers[asked++] ?? "asked too often";
  const logger = { info: () => undefined, warn: () => undefined, error: () => undefined };
  const deps = { clock, logger, newId: () => "id" };
  const read = probe(deps, { name: "model", timeoutMs: 50, maxAgeMs: 0, ask });
  for (let second = 0; second < 60; second += 10) {
    expect((await read()).detail).toBe("It has not answered within 50 ms (error id id)");
    pass(10_000);
  }
  expect(asked).toBe(1);
  expect((await read()).value).toBe("well");
  expect(asked).toBe(2);
});
