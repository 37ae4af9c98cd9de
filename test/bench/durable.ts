/** A durable run through our HTTP API against calling the graph oneself: time and round trips. */

import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import type { Benchmark } from "./benchmark.ts";
import {
  createDatabase,
  startBare,
  startOurs,
  startProxy,
  type Contender,
  type WireProxy,
} from "./contenders.ts";
import { interleave, median } from "./measure.ts";
import { atMost, difference, ratio, type Row } from "./report.ts";
import type { WireCount } from "./wire.ts";

const DELAYS = [
  { roundTripMs: 0, below: 1.5 },
  { roundTripMs: 2, below: 0.6 },
] as const;

export const durable: Benchmark = {
  name: "durable",
  description: "a durable run of a 2-node graph: POST invoke against graph.invoke with PostgresSaver",
  run: async (deps) => {
    const rows: Row[] = [];
    for (const { roundTripMs, below } of DELAYS) {
      await using way = await wayTo(deps.postgresUrl, roundTripMs);
      await using ours = await startOurs(way.url(await createDatabase(deps.postgresUrl)));
      await using bare = await startBare(way.url(await createDatabase(deps.postgresUrl)));
      deps.note(
        `${roundTripMs} ms added: a "select 1" takes ${(await pingMs(way.url(deps.postgresUrl))).toFixed(2)} ms`,
      );
      const growing = randomUUID();
      for (const thread of ["a new thread", "a growing thread"]) {
        const threadId = () => (thread === "a new thread" ? randomUUID() : growing);
        deps.progress(`durable: ${thread}, ${roundTripMs} ms`);
        const taken = await interleave(
          { ours: async () => ours.invoke(threadId()), bare: async () => bare.invoke(threadId()) },
          { ...deps, warmUp: thread === "a new thread" ? 15 : 0 },
        );
        const what = `durable run, ${thread}, ${roundTripMs} ms`;
        const compared = {
          what,
          unit: "ms",
          ours: taken("ours"),
          who: "bare",
          theirs: taken("bare"),
        } as const;
        rows.push(ratio(compared, { below }));
      }
    }
    return rows;
  },
};

export const roundTrips: Benchmark = {
  name: "round-trips",
  description: "database round trips of that run, counted on the wire",
  run: async (deps) => {
    await using way = await startProxy(deps.postgresUrl, 0);
    await using ours = await startOurs(way.url(await createDatabase(deps.postgresUrl)));
    const oursCounts = await countRuns(way, ours);
    await ours[Symbol.asyncDispose]();
    await way.counted();
    await using bare = await startBare(way.url(await createDatabase(deps.postgresUrl)));
    const bareCounts = await countRuns(way, bare);
    deps.note(`the statements of our run on a thread that exists:\n${statementList(oursCounts.again)}`);
    return (["first", "again"] as const).map((which) =>
      atMost(
        `round trips, ${which === "first" ? "a new thread" : "a growing thread"}`,
        oursCounts[which].roundTrips,
        { who: "bare", value: bareCounts[which].roundTrips },
        12,
      ),
    );
  },
};

export const stream: Benchmark = {
  name: "stream",
  description: "the first event of a stream against the first chunk of graph.stream",
  run: async (deps) => {
    const rows: Row[] = [];
    for (const { roundTripMs } of DELAYS) {
      await using way = await wayTo(deps.postgresUrl, roundTripMs);
      await using ours = await startOurs(way.url(await createDatabase(deps.postgresUrl)));
      await using bare = await startBare(way.url(await createDatabase(deps.postgresUrl)));
      deps.progress(`stream: ${roundTripMs} ms`);
      const taken = await interleave(
        {
          ours: async () => ours.stream(randomUUID()),
          bare: async () => bare.stream(randomUUID()),
          forgetful: bare.streamWithoutCheckpointer,
        },
        { ...deps, warmUp: 15 },
      );
      const compared = {
        what: `first event, ${roundTripMs} ms`,
        unit: "ms",
        ours: taken("ours"),
      } as const;
      rows.push(
        difference({ ...compared, who: "bare", theirs: taken("bare") }, 5),
        difference({ ...compared, who: "no checkpointer", theirs: taken("forgetful") }),
      );
    }
    return rows;
  },
};

/** Without a delay, the direct way: even a proxy that only passes things on takes its time. */
async function wayTo(
  postgresUrl: string,
  roundTripMs: number,
): Promise<Pick<WireProxy, "url"> & AsyncDisposable> {
  if (roundTripMs > 0) return startProxy(postgresUrl, roundTripMs);
  return { url: (databaseUrl) => databaseUrl, [Symbol.asyncDispose]: async () => undefined };
}

/** Of a query on an open connection. */
async function pingMs(url: string): Promise<number> {
  const { Client } = await import("pg");
  const client = new Client({ connectionString: url });
  await client.connect();
  const taken: number[] = [];
  for (let ping = 0; ping < 20; ping += 1) {
    const start = performance.now();
    await client.query("select 1");
    taken.push(performance.now() - start);
  }
  await client.end();
  return median(taken);
}

interface RunCounts {
  readonly first: WireCount;
  /** Another run on the same thread. */
  readonly again: WireCount;
}

async function countRuns(way: WireProxy, contender: Contender): Promise<RunCounts> {
  for (let run = 0; run < 5; run += 1) await contender.invoke(randomUUID()); // connections, migrations
  await settled(way);
  const threadId = randomUUID();
  await contender.invoke(threadId);
  const first = await settled(way);
  await contender.invoke(threadId);
  return { first, again: await settled(way) };
}

/** Also what a contender sends after it has answered. */
async function settled(way: WireProxy): Promise<WireCount> {
  await sleep(300);
  return way.counted();
}

function statementList({ statements }: WireCount): string {
  return statements
    .map((text, at) => `  ${at + 1}. ${text.replaceAll(/\s+/g, " ").trim().slice(0, 110)}`)
    .join("\n");
}
