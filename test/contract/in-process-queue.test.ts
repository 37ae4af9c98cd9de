import { systemClock } from "../../src/clock.ts";
import { inProcessQueue } from "../../src/engine/in-process-queue.ts";
import { runQueueContract } from "./run-queue.ts";

runQueueContract("The process itself", async () => {
  const stop = new AbortController();
  const worked: string[] = [];
  const work = async (runId: string) => void worked.push(runId);
  return {
    queue: inProcessQueue(systemClock, work, stop.signal),
    take: async () => worked.splice(0),
    [Symbol.asyncDispose]: async () => stop.abort(),
  };
});
