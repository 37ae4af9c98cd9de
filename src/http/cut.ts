/** When a stream is broken off because its invocation ends. */

import type { Clock } from "../clock.ts";
import type { Invocation } from "../core/model.ts";

/** Later than an executor hands its run over; but a host that ends the answer itself makes it look complete. */
const CUT_ROOM_MS = 1_500;
const CUT_ROOM_SHARE = 0.05;

/** Aborts shortly before the invocation's deadline, unless `over` comes first. */
export function cutSignal(clock: Clock, { deadline }: Invocation, over: AbortSignal): AbortSignal {
  const cut = new AbortController();
  if (deadline !== undefined) {
    const remaining = Math.max(0, deadline.getTime() - clock.now().getTime());
    const ms = remaining - Math.min(CUT_ROOM_MS, remaining * CUT_ROOM_SHARE);
    void clock.sleep(ms, over).then(() => {
      if (!over.aborted) cut.abort();
    });
  }
  return cut.signal;
}

/** What `read` comes to, whose signal aborts when the invocation ends or is about to. */
export async function untilCut<T>(
  clock: Clock,
  invocation: Invocation,
  read: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const over = new AbortController();
  const cut = cutSignal(clock, invocation, over.signal);
  try {
    return await read(AbortSignal.any([invocation.signal, cut]));
  } finally {
    over.abort();
  }
}
