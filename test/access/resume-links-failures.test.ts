import { Annotation, interrupt, START, StateGraph } from "@langchain/langgraph";
import { LangGraphApp } from "langgraph-functions";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { z } from "zod";
import type { WakeUp, WakeUpQueue } from "../../src/core/wake-ups.ts";
import { AppError } from "../../src/errors.ts";
import { testDatabase } from "../support/database.ts";
import { pausing } from "../support/graphs.ts";
import { dataOf, isEndOf, openStream } from "../support/protocol.ts";
import {
  ask,
  makeLink,
  open,
  pending,
  respond,
  runCount,
  settled,
  startAsking,
  submit,
} from "../support/resume-links.ts";

const SECRET = "a-secret-of-the-tests-of-32-bytes-or-more";

beforeEach(() => void vi.stubEnv("RESUME_LINK_SECRETS", SECRET));
afterEach(() => void vi.unstubAllEnvs());

/** The app behind a host whose queue is the test's, with a thread that waits. */
async function startHost(queue: WakeUpQueue) {
  const database = await testDatabase();
  const logger = { info: () => undefined, warn: () => undefined, error: () => undefined };
  const app = new LangGraphApp({ authLevel: "anonymous", logger }).register({
    name: "pausing",
    graph: pausing,
  });
  const opened = { url: database.url, poolSize: 4, migrate: false };
  const settings = { database: opened, logLevel: "silent", resumeLinkSecrets: [SECRET] } as const;
  const doors = app.doors({ settings, queue });
  const invocation = { signal: new AbortController().signal, authLevel: "admin" } as const;
  const post = async (url: string, body: object) => {
    const headers = { "content-type": "application/json" };
    return doors.fetch(new Request(url, { method: "POST", headers, body: JSON.stringify(body) }), invocation);
  };
  const run = { assistant_id: "pausing", if_not_exists: "create", input: { value: "May I?" } };
  await (await post("http://here/api/threads/t/runs/wait", run)).text();
  const made = await post("http://here/api/threads/t/resume-links", {});
  const { url } = z.object({ url: z.url() }).parse(await made.json());
  return {
    database,
    answer: async () => post(url, { response: "yes" }),
    tick: async () => doors.tick(invocation),
    work: async (message: WakeUp) => doors.work(message, invocation),
    [Symbol.asyncDispose]: async () => {
      await app[Symbol.asyncDispose]();
      await database[Symbol.asyncDispose]();
    },
  };
}

test("without a queue an answer is refused, and the link is as good as before", async () => {
  const sent: WakeUp[] = [];
  let isAway = true;
  await using host = await startHost({
    outlivesProcess: () => false,
    depth: async () => ({ messages: 0 }),
    check: async () => {
      if (isAway) throw new AppError("unavailable", "Background runs need a queue");
    },
    send: async (wakeUp) => void sent.push(wakeUp),
  });
  const refused = await host.answer();
  expect([refused.status, await refused.text()]).toEqual([503, expect.stringContaining("need a queue")]);
  expect(await host.database.query("select used_at from langgraph.resume_links")).toEqual([
    { used_at: null },
  ]);
  isAway = false;
  const accepted = await host.answer();
  expect(accepted.status).toBe(202);
  const { run_id } = Object(await accepted.json());
  expect(sent).toEqual([{ run_id }]);
  await host.work({ run_id });
  expect(await host.database.query("select \"values\" -> 'text' as text from langgraph.threads")).toEqual([
    { text: "yes" },
  ]);
});

test("an answer whose message is lost on the way is taken all the same, and the next tick finds it", async () => {
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
  const accepted = await host.answer();
  expect(accepted.status).toBe(202);
  const { run_id } = Object(await accepted.json());
  expect((await host.answer()).status).toBe(410);
  isAway = false;
  await host.database.query("update langgraph.runs set woken_at = woken_at - interval '1 minute'");
  await host.tick();
  expect(sent).toEqual([{ run_id }]);
});

test("a run that cannot be stored leaves the link as it was", async () => {
  await using server = await startAsking();
  await ask(server);
  const link = await makeLink(server);
  await server.database.query(`
    create function langgraph.refuse() returns trigger language plpgsql as $$ begin raise 'no room'; end $$`);
  await server.database.query(
    "create trigger full_up before insert on langgraph.runs for each row execute function langgraph.refuse()",
  );
  const failed = await respond(link, "yes");
  expect([failed.status, failed.text]).toEqual([500, expect.not.stringContaining("no room")]);
  const page = await submit(link, { text: "yes" });
  expect([page.status, page.text]).toEqual([500, expect.stringContaining("The link is still good")]);
  await server.database.query("drop trigger full_up on langgraph.runs");
  await server.database.query("drop function langgraph.refuse");
  expect((await respond(link, "yes")).status).toBe(202);
  expect(await settled(server)).toMatchObject({ text: "yes" });
});

test("an answer for an assistant that was changed elsewhere meanwhile is one of the newest version", async () => {
  await using server = await startAsking();
  await using other = await startAsking({ local: { databaseUrl: server.database.url } });
  await ask(server);
  const link = await makeLink(server);
  const { body: assistants } = await other.post("/assistants/search", { graph_id: "pausing" });
  const [{ assistant_id }] = z.tuple([z.object({ assistant_id: z.string() })]).parse(assistants);
  const method = "PATCH";
  const changed = await other.post(
    `/assistants/${assistant_id}`,
    { metadata: { version: "two" } },
    { method },
  );
  expect(changed.status).toBe(200);
  const { status, body } = await respond(link, "yes");
  expect(status).toBe(202);
  expect(await settled(server)).toMatchObject({ text: "yes" });
  const { run_id } = Object(body);
  expect((await server.get(`/threads/t/runs/${run_id}`)).body).toMatchObject({
    metadata: { version: "two" },
  });
});

test("while the thread is busy an answer is put off, and the link is good afterwards", async () => {
  let openGate = (): void => undefined;
  let enter = (): void => undefined;
  const opened = new Promise<void>((resolve) => (openGate = resolve));
  const entered = new Promise<void>((resolve) => (enter = resolve));
  const Answers = Annotation.Root({ ada: Annotation<unknown>, bob: Annotation<unknown> });
  const graph = new StateGraph(Answers)
    .addNode("asksAda", () => ({ ada: interrupt("ada?") }))
    .addNode("asksBob", async () => {
      const bob: unknown = interrupt("bob?");
      enter();
      await opened;
      return { bob };
    })
    .addEdge(START, "asksAda")
    .addEdge(START, "asksBob")
    .compile();
  await using server = await startAsking({ graphs: [{ name: "gated", graph }] });
  await ask(server, { graph: "gated", input: {} });
  const ids = await pending(server);
  const ada = await makeLink(server, { interrupt_id: ids["ada?"] });
  await respond(await makeLink(server, { interrupt_id: ids["bob?"] }), "bob");
  await entered;
  expect((await respond(ada, "ada")).body).toMatchObject({ error: "thread_busy" });
  const page = await open(ada);
  expect([page.status, page.text]).toEqual([409, expect.stringContaining("Just a moment")]);
  expect(await runCount(server)).toBe(2);
  openGate();
  await settled(server);
  expect((await respond(ada, "ada")).status).toBe(202);
  expect(await settled(server)).toEqual({ ada: "ada", bob: "bob" });
});

test("who follows the thread sees the run of the answer", async () => {
  await using server = await startAsking();
  await ask(server);
  await using stream = await openStream(server, "t", { channels: ["lifecycle", "values"] });
  await respond(await makeLink(server), "yes");
  const events = await stream.until(isEndOf(1));
  expect(dataOf(events, "lifecycle").at(-1)).toMatchObject({ event: "completed" });
  expect(dataOf(events, "values").at(-1)).toMatchObject({ text: "yes" });
});
