import { systemClock } from "../../src/clock.ts";
import { inProcessQueue } from "../../src/engine/in-process-queue.ts";
import { wakeUpQueueContract } from "./wake-up-queue.ts";

wakeUpQueueContract("The process itself", async () => {
  const stop = new AbortController();
  const worked: object[] = [];
  const work = async (message: object) => void worked.push(message);
  return {
    queue: inProcessQueue(systemClock, work, stop.signal),
    take: async () => worked.splice(0),
    [Symbol.asyncDispose]: async () => stop.abort(),
  };
});
