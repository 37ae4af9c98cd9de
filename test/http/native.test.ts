import { expect, test } from "vitest";
import { allEvents, readEvents } from "../support/events.ts";
import { asking, counter, failing, gated, shout } from "../support/graphs.ts";
import { startServer } from "../support/server.ts";

const json = { "content-type": "application/json" };

async function stream(url: string, graph: string, body: unknown): Promise<Response> {
  return fetch(`${url}/graphs/${graph}/stream`, { method: "POST", headers: json, body: JSON.stringify(body) });
}

test("invoke answers with the full output state", async () => {
  await using server = await startServer({ graphs: [{ name: "shout", graph: shout }] });
  const answer = await server.post("/graphs/shout/invoke", { input: { text: "hello" } });
  expect(answer).toMatchObject({ status: 200, body: { output: { text: "hello!" } } });
});

test("messages come as flat plain JSON, never as constructors", async () => {
  await using server = await startServer({ graphs: [{ name: "counter", graph: counter }] });
  const answer = await server.post("/graphs/counter/invoke", { input: { messages: [{ role: "user", content: "hi" }] } });
  expect(answer.body).toMatchObject({
    output: { messages: [{ type: "human", content: "hi" }, { type: "ai", content: "message 1" }] },
  });
  expect(answer.text).not.toContain("lc_");
  expect(answer.text).not.toContain('"constructor"');
});

test("a thread id makes a conversation; without one nothing is remembered or kept", async () => {
  await using server = await startServer({ graphs: [{ name: "counter", graph: counter }] });
  const say = async (config: object) =>
    server.post("/graphs/counter/invoke", { input: { messages: [{ role: "user", content: "hi" }] }, config });
  const thread = { configurable: { thread_id: "conversation 1/ü?".replace("ü", "u") } };

  await say(thread);
  expect((await say(thread)).text).toContain("message 3");
  expect((await say({})).text).toContain("message 1");

  const counts = await server.database.query(
    "select (select count(*) from langgraph.threads)::int as threads, (select count(distinct thread_id) from checkpoints)::int as saved",
  );
  expect(counts).toEqual([{ threads: 1, saved: 1 }]);
});

test("the first event arrives while the graph still works", async () => {
  const { graph, open } = gated();
  await using server = await startServer({ graphs: [{ name: "gated", graph }] });
  const response = await stream(server.url, "gated", { input: { text: "later" } });
  const events = readEvents(response);

  expect((await events.next()).value).toEqual({ event: "data", data: { text: "later" } });
  open(); // only now can the graph finish
  expect((await events.next()).value).toEqual({ event: "data", data: { text: "later after all" } });
  expect((await events.next()).value).toEqual({ event: "end", data: {} });
  expect((await events.next()).done).toBe(true);
});
