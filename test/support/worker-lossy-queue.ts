/** The in-process queue as a bad one: it loses one message in five, and delivers each of the others twice. */

import { inProcessQueue as goodQueue } from "../../src/engine/in-process-queue.ts";

export const inProcessQueue: typeof goodQueue = (clock, work, stopped) => {
  const queue = goodQueue(clock, work, stopped);
  let messages = 0;
  return {
    send: async (wakeUp, options) => {
      messages += 1;
      if (messages % 5 === 0) return;
      await queue.send(wakeUp, options);
      await queue.send(wakeUp, options);
    },
  };
};
