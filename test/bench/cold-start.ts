/** How long a new process takes to answer, against one that loads LangGraph and nothing else. */

import { randomUUID } from "node:crypto";
import type { Benchmark } from "./benchmark.ts";
import { firstEvent, get } from "./client.ts";
import { createDatabase, INPUT, startOurs } from "./contenders.ts";
import { interleave } from "./measure.ts";
import { program, start } from "./processes.ts";
import { ratio } from "./report.ts";

export const coldStart: Benchmark = {
  name: "cold",
  description:
    "process spawn to the answer of /health, and to a run's first event, against importing LangGraph",
  run: async (deps) => {
    const database = await createDatabase(deps.postgresUrl);
    await using warm = await startOurs(database);
    const body = () => ({ input: INPUT, config: { configurable: { thread_id: randomUUID() } } });
    deps.progress("cold: spawning processes");
    const taken = await interleave(
      {
        nothing: async () => untilLoaded("nothing/nothing"),
        langgraph: async () => untilLoaded("langgraph-alone/langgraph-alone"),
        health: async () => untilAnswer(database, async (url) => answerMs(`${url}/health`)),
        event: async () =>
          untilAnswer(database, async (url) => firstEvent(`${url}/graphs/two/stream`, body())),
        warmEvent: async () => firstEvent(`${warm.url}/graphs/two/stream`, body()),
      },
      { ...deps, rounds: Math.ceil(deps.rounds / 2), warmUp: 2 },
    );
    const alone = taken("langgraph");
    deps.note(
      `cold: an empty Node process takes ${taken("nothing").median.toFixed(1)} ms until its first line`,
    );
    const wholeRun = {
      median: alone.median + taken("warmEvent").median,
      calm: alone.calm + taken("warmEvent").calm,
    };
    const below = (1.3 * alone.median + taken("warmEvent").median) / wholeRun.median;
    return [
      ratio(
        {
          what: "cold start to /health",
          unit: "ms",
          ours: taken("health"),
          who: "LangGraph alone",
          theirs: alone,
        },
        { below: 1 },
      ),
      ratio(
        {
          what: "cold start to a run's first event",
          unit: "ms",
          ours: taken("event"),
          who: "LangGraph alone + the run, warm",
          theirs: wholeRun,
        },
        { below },
      ),
    ];
  },
};

async function untilLoaded(name: string): Promise<number> {
  const began = performance.now();
  await using child = start(program(name));
  await child.line("loaded");
  return performance.now() - began;
}

/** `call` tells how long its own part took: a stream goes on after its first event. */
async function untilAnswer(databaseUrl: string, call: (url: string) => Promise<number>): Promise<number> {
  const began = performance.now();
  await using server = await startOurs(databaseUrl);
  const listening = performance.now() - began;
  return listening + (await call(server.url));
}

async function answerMs(url: string): Promise<number> {
  const began = performance.now();
  await get(url);
  return performance.now() - began;
}
