/** A way to Postgres that is longer than the real one, and counts what goes over it. A process of its own. */

import { connect, createServer, type Socket } from "node:net";
import { isMainThread, parentPort, Worker } from "node:worker_threads";
import { countConnection, noCount, type WireCount } from "../wire.ts";

if (isMainThread) serve();
else wake();

function serve(): void {
  const target = new URL(process.env["DATABASE_URL"] ?? "");
  const later = delayed(Number(process.env["DELAY_MS"] ?? 0));
  let count: WireCount = noCount();
  const server = createServer({ noDelay: true }, (client) => {
    const postgres = connect({ port: Number(target.port), host: target.hostname, noDelay: true });
    const counting = countConnection(() => count);
    client.on("data", (chunk) => counting.client.read(Buffer.from(chunk)));
    postgres.on("data", (chunk) => counting.server.read(Buffer.from(chunk)));
    for (const [from, to] of [
      [client, postgres],
      [postgres, client],
    ] as const) {
      from.on("error", () => to.destroy());
      carry(from, to, later);
    }
  });
  server.listen(0, "127.0.0.1", () => {
    const address = server.address();
    process.send?.({ port: typeof address === "object" ? address?.port : undefined });
  });
  // Answers what has been counted since it was last asked.
  process.on("message", () => {
    process.send?.(count);
    count = noCount();
  });
  process.once("disconnect", () => process.exit(0));
}

type Later = (deliver: () => void) => void;

/** Whatever comes arrives later by one delay, however much it is: pieces overtake nothing and wait for nothing. */
function carry(from: Socket, to: Socket, later: Later): void {
  from.on("data", (chunk) => later(() => void to.write(chunk)));
  from.on("end", () => later(() => void to.end()));
}

/** `delayMs` is for each direction. */
function delayed(delayMs: number): Later {
  if (delayMs === 0) return (deliver) => deliver();
  const waiting: { readonly due: number; readonly deliver: () => void }[] = [];
  const alarm = new Worker(new URL(import.meta.url));
  const setAlarm = (): void => {
    const [next] = waiting;
    if (next !== undefined) alarm.postMessage(next.due);
  };
  alarm.on("message", () => {
    while (waiting[0] !== undefined && waiting[0].due <= nowMs()) waiting.shift()?.deliver();
    setAlarm();
  });
  return (deliver) => {
    waiting.push({ due: nowMs() + delayMs, deliver });
    if (waiting.length === 1) setAlarm();
  };
}

/** The other thread: an alarm clock that is exact to some hundredths of a millisecond, where timers are to one. */
function wake(): void {
  const never = new Int32Array(new SharedArrayBuffer(4));
  parentPort?.on("message", (due: number) => {
    Atomics.wait(never, 0, 0, Math.max(0, due - nowMs()));
    parentPort?.postMessage(0);
  });
}

/** The same in both threads. */
function nowMs(): number {
  return Number(process.hrtime.bigint()) / 1_000_000;
}
