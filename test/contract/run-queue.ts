/** What every run queue promises, tested on the real protocol of each. */

import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { RunQueue } from "../../src/core/ports.ts";

export interface TestQueue extends AsyncDisposable {
  readonly queue: RunQueue;
  /** Takes what a worker would be handed just now: the ids of runs. */
  readonly take: () => Promise<readonly string[]>;
}

export function runQueueContract(name: string, open: () => Promise<TestQueue>): void {
  describe(`${name} as a run queue`, () => {
    let opened: TestQueue;
    beforeAll(async () => {
      opened = await open();
    });
    afterAll(() => opened[Symbol.asyncDispose]());

    /** Takes until as many have come, in any order, and none besides. */
    async function expectDelivered(runIds: readonly string[]): Promise<void> {
      const taken: string[] = [];
      await expect
        .poll(async () => taken.push(...(await opened.take())), { timeout: 20_000 })
        .toBeGreaterThanOrEqual(runIds.length);
      expect(taken.toSorted()).toEqual(runIds.toSorted());
    }

    test("a run that is sent reaches a worker", async () => {
      const runId = randomUUID();
      await opened.queue.send(runId);
      await expectDelivered([runId]);
    });

    test("a run that is sent twice wakes twice", async () => {
      const runId = randomUUID();
      await opened.queue.send(runId);
      await opened.queue.send(runId);
      await expectDelivered([runId, runId]);
    });

    test("of many that are sent at once, none is lost", async () => {
      const runIds = Array.from({ length: 50 }, () => randomUUID());
      await Promise.all(runIds.map((runId) => opened.queue.send(runId)));
      await expectDelivered(runIds);
    });

    test("a run that is due already comes at once", async () => {
      const runId = randomUUID();
      await opened.queue.send(runId, { notBefore: new Date(Date.now() - 60_000) });
      await expectDelivered([runId]);
    });

    test("a run that is due later comes then, and not before", async () => {
      const runId = randomUUID();
      const notBefore = new Date(Date.now() + 1_500);
      await opened.queue.send(runId, { notBefore });
      await expectDelivered([runId]);
      expect(Date.now()).toBeGreaterThanOrEqual(notBefore.getTime());
    });

    test("a run that is due in ten days is taken, too, and does not come now", async () => {
      await opened.queue.send(randomUUID(), { notBefore: new Date(Date.now() + 10 * 86_400_000) });
      const runId = randomUUID();
      await opened.queue.send(runId);
      await expectDelivered([runId]);
      expect(await opened.take()).toEqual([]);
    });
  });
}
