/** What every queue promises, tested on the real protocol of each. */

import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readMessage, type WakeUp, type WakeUpQueue } from "../../src/core/wake-ups.ts";

export interface TestQueue extends AsyncDisposable {
  readonly queue: WakeUpQueue;
  /** Takes what a worker would be handed just now, decoded as the host does. */
  readonly take: () => Promise<readonly unknown[]>;
}

export function wakeUpQueueContract(name: string, open: () => Promise<TestQueue>): void {
  describe(`${name} as the queue of wake-ups`, () => {
    let opened: TestQueue;
    beforeAll(async () => {
      opened = await open();
    });
    afterAll(() => opened[Symbol.asyncDispose]());

    const aRun = (): WakeUp => ({ run_id: randomUUID() });

    /** Takes until as many have come, in any order, and none besides. */
    async function expectDelivered(wakeUps: readonly WakeUp[]): Promise<void> {
      const taken: unknown[] = [];
      await expect
        .poll(async () => taken.push(...(await opened.take())), { timeout: 20_000 })
        .toBeGreaterThanOrEqual(wakeUps.length);
      expect(texts(taken.map((message) => readMessage(message)?.wakeUp))).toEqual(texts(wakeUps));
    }

    test.each([
      ["a run", aRun()],
      ["a tick", { tick: true }],
    ] as const)("%s that is sent reaches a worker", async (_, wakeUp) => {
      await opened.queue.send(wakeUp);
      await expectDelivered([wakeUp]);
    });

    test("what waits in it is counted, what is held back as well, and nothing when all was taken", async () => {
      const depth = async () => (await opened.queue.depth(new AbortController().signal)).messages ?? 0;
      const before = await depth();
      const due = new Date(Date.now() + 1_500);
      await opened.queue.send({ tick: true }, { notBefore: due });
      expect(await depth()).toBe(before + 1);
      await expectDelivered([{ tick: true }]);
      expect(await depth()).toBe(before);
    });

    test("a run that is sent twice wakes twice", async () => {
      const run = aRun();
      await opened.queue.send(run);
      await opened.queue.send(run);
      await expectDelivered([run, run]);
    });

    test("of many that are sent at once, none is lost", async () => {
      const runs = Array.from({ length: 50 }, aRun);
      await Promise.all(runs.map((run) => opened.queue.send(run)));
      await expectDelivered(runs);
    });

    test("a run that is due already comes at once", async () => {
      const run = aRun();
      await opened.queue.send(run, { notBefore: new Date(Date.now() - 60_000) });
      await expectDelivered([run]);
    });

    test("a run that is due later comes then, and not before", async () => {
      const run = aRun();
      const notBefore = new Date(Date.now() + 1_500);
      await opened.queue.send(run, { notBefore });
      await expectDelivered([run]);
      expect(Date.now()).toBeGreaterThanOrEqual(notBefore.getTime());
    });

    test.each([10, 100])(
      "a run that is due in %i days is taken, too, and does not come now",
      async (days) => {
        await opened.queue.send(aRun(), { notBefore: new Date(Date.now() + days * 86_400_000) });
        const run = aRun();
        await opened.queue.send(run);
        await expectDelivered([run]);
        expect(await opened.take()).toEqual([]);
      },
    );
  });
}

function texts(wakeUps: readonly unknown[]): readonly string[] {
  return wakeUps.map((wakeUp) => JSON.stringify(wakeUp)).toSorted();
}
