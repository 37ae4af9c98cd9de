import { Annotation, interrupt, START, StateGraph } from "@langchain/langgraph";
import { expect, test } from "vitest";
import { asking, pausing } from "../support/graphs.ts";
import {
  command,
  isEnd,
  openStream,
  requestedOf,
  runToEnd,
  runsOf,
  sendCommand,
  stateOf,
} from "../support/protocol.ts";
import { startServer, type TestServer } from "../support/server.ts";

const text = { text: "a" };

/** Asks two questions at once. */
const twice = new StateGraph(
  Annotation.Root({
    text: Annotation<string>,
    said: Annotation<unknown[]>({ reducer: (all, more) => [...all, ...more], default: () => [] }),
  }),
)
  .addNode("one", () => ({ said: [interrupt("one")] }))
  .addNode("other", () => ({ said: [interrupt("other")] }))
  .addEdge(START, "one")
  .addEdge(START, "other")
  .compile();

async function pending(server: TestServer, graph: string, input: object = text): Promise<readonly string[]> {
  const events = await runToEnd(server, "t", { assistant_id: graph, input });
  return requestedOf(events);
}

test("an input answers the interrupt that the thread waits at; without one, it starts a run", async () => {
  await using server = await startServer({ graphs: [{ name: "asking", graph: asking }] });
  await runToEnd(server, "t", { assistant_id: "asking", input: text });
  await runToEnd(server, "t", { assistant_id: "asking", input: "yes" });
  expect(await stateOf(server, "t")).toEqual({ text: "a yes" });
  await runToEnd(server, "t", { assistant_id: "asking", input: { text: "b" } });
  expect(await stateOf(server, "t")).toEqual({ text: "b" });
  expect((await server.get("/threads/t")).body).toMatchObject({ status: "interrupted" });
});

test("any answer is an answer", async () => {
  await using server = await startServer({ graphs: [{ name: "pausing", graph: pausing }] });
  for (const response of [false, 0, "", null, { deep: [1] }]) {
    const [interrupt_id] = await pending(server, "pausing", { value: "?" });
    await using stream = await openStream(server, "t", { channels: ["lifecycle", "values"] });
    await stream.until(isEnd);
    await command(server, "t", "input.respond", { interrupt_id, response });
    await stream.until(isEnd);
    expect(await stateOf(server, "t")).toEqual({ value: "?", text: response });
  }
});

test("several interrupts are answered by one command, which may edit the state as well", async () => {
  await using server = await startServer({ graphs: [{ name: "twice", graph: twice }] });
  const ids = await pending(server, "twice");
  expect(ids).toHaveLength(2);
  await using stream = await openStream(server, "t");
  await stream.until(isEnd);
  const responses = ids.map((interrupt_id, index) => ({ namespace: [], interrupt_id, response: index }));
  const { body } = await command(server, "t", "input.respond", {
    responses,
    update: { text: "edited" },
    metadata: { by: "me" },
    config: { configurable: { color: "red" } },
    strict_resume: true,
  });
  expect(body).toMatchObject({ type: "success", result: {} });
  await stream.until(isEnd);
  expect(await stateOf(server, "t")).toEqual({ text: "edited", said: [0, 1] });
  const [newest] = await runsOf(server, "t");
  expect(newest).toMatchObject({
    metadata: { by: "me" },
    kwargs: { command: { update: { text: "edited" } }, config: { configurable: { color: "red" } } },
  });
});

test("an answer may say where to go on", async () => {
  const graph = new StateGraph(Annotation.Root({ text: Annotation<string> }))
    .addNode("ask", () => ({ text: String(interrupt("?")) }), { ends: ["aside"] })
    .addNode("aside", ({ text }) => ({ text: `${text} aside` }))
    .addEdge(START, "ask")
    .compile();
  await using server = await startServer({ graphs: [{ name: "ask", graph }] });
  const [interrupt_id] = await pending(server, "ask");
  await using stream = await openStream(server, "t", { channels: ["lifecycle", "updates"] });
  await stream.until(isEnd);
  await command(server, "t", "input.respond", { interrupt_id, response: "yes", goto: ["aside"] });
  const nodes = (await stream.until(isEnd)).flatMap(({ params: { node } }) => node ?? []);
  expect(nodes).toContain("aside");
});

test("an answer to what nobody asked is refused", async () => {
  await using server = await startServer({ graphs: [{ name: "asking", graph: asking }] });
  const respond = async (params: object) =>
    (await command(server, "t", "input.respond", params)).body["error"];
  expect(await respond({ interrupt_id: "x", response: 1 })).toBe("no_such_run");
  const [interrupt_id] = await pending(server, "asking");
  expect(await respond({ interrupt_id: "x", response: 1 })).toBe("no_such_interrupt");
  expect(await respond({ responses: [] })).toBe("invalid_argument");
  expect(await respond({ response: 1 })).toBe("invalid_argument");
  await using stream = await openStream(server, "t", { channels: ["lifecycle"] });
  await stream.until(isEnd);
  const send = async () =>
    sendCommand(server, "t", { id: 7, method: "input.respond", params: { interrupt_id, response: "yes" } });
  await Promise.all([send(), send()]);
  await stream.until(isEnd);
  expect(await runsOf(server, "t")).toHaveLength(2);
  expect(await respond({ interrupt_id, response: "no" })).toBe("invalid_argument");
});
