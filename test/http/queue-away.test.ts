import { Annotation, START, StateGraph } from "@langchain/langgraph";
import { LangGraphApp } from "langgraph-functions";
import { expect, test } from "vitest";
import type { WakeUp, WakeUpQueue } from "../../src/core/wake-ups.ts";
import { AppError } from "../../src/errors.ts";
import { testDatabase } from "../support/database.ts";

const shout = new StateGraph(Annotation.Root({ text: Annotation<string> }))
  .addNode("shout", ({ text }) => ({ text: `${text}!` }))
  .addEdge(START, "shout")
  .compile();

/** The app behind a host whose queue is the test's. */
async function startHost(queue: WakeUpQueue) {
  const database = await testDatabase();
  const warnings: string[] = [];
  const logger = {
    info: () => undefined,
    warn: (_: object, message: string) => void warnings.push(message),
    error: () => undefined,
  };
  const app = new LangGraphApp({ authLevel: "anonymous", logger }).register({ name: "shout", graph: shout });
  const opened = { url: database.url, poolSize: 4, migrate: false };
  const doors = app.doors({ settings: { database: opened, logLevel: "silent" }, queue });
  const invocation = { signal: new AbortController().signal, authLevel: "admin" } as const;
  return {
    database,
    warnings,
    tick: async () => doors.tick(invocation),
    work: async (message: WakeUp) => doors.work(message, invocation),
    post: async (path: string, body: object) =>
      doors.fetch(
        new Request(`http://here/api${path}`, {
          method: "POST",
          headers: { "content-type": "application/json" },
          body: JSON.stringify(body),
        }),
        invocation,
      ),
    [Symbol.asyncDispose]: async () => {
      await app[Symbol.asyncDispose]();
      await database[Symbol.asyncDispose]();
    },
  };
}

const waysIn = [
  ["/graphs/shout/runs", {}],
  ["/runs", { assistant_id: "shout" }],
  ["/threads/t/runs", { assistant_id: "shout", if_not_exists: "create" }],
] as const;

test.each(waysIn)(
  "a run whose message is lost on the way is accepted all the same: %s",
  async (path, body) => {
    const sent: WakeUp[] = [];
    let isAway = true;
    await using host = await startHost({
      outlivesProcess: () => false,
      check: async () => undefined,
      depth: async () => ({ messages: 0 }),
      send: async (wakeUp) => {
        if (isAway) throw new AppError("unavailable", "The run queue cannot be reached");
        sent.push(wakeUp);
      },
    });
    const created = await host.post(path, { ...body, input: { text: "a" } });
    expect(created.ok).toBe(true);
    const { run_id } = await created.json();
    expect(host.warnings).toEqual(["A worker could not be woken; the timer will do it"]);
    isAway = false;
    await host.database.query("update langgraph.runs set woken_at = woken_at - interval '1 minute'");
    await host.tick();
    expect(sent).toContainEqual({ run_id });
    for (const wakeUp of sent.splice(0)) await host.work(wakeUp);
    expect(
      await host.database.query("select run_id, status from langgraph.runs where status <> 'success'"),
    ).toEqual([]);
  },
);

test.each(waysIn)("without a queue, a run is refused before it is stored: %s", async (path, body) => {
  const missing = async (): Promise<never> => {
    throw new AppError("unavailable", "Background runs need a queue");
  };
  await using host = await startHost({
    outlivesProcess: () => false,
    check: missing,
    depth: missing,
    send: missing,
  });
  const refused = await host.post(path, { ...body, input: { text: "a" } });
  expect([refused.status, await refused.text()]).toEqual([503, expect.stringContaining("need a queue")]);
  expect(await host.database.query("select from langgraph.runs")).toEqual([]);
  expect(await host.database.query("select from langgraph.threads")).toEqual([]);
});
