import { request } from "node:http";
import { expect, test, vi } from "vitest";
import { z } from "zod";
import {
  abortable,
  asking,
  counter,
  doubler,
  echo,
  endless,
  failing,
  forgetting,
  gated,
  reporting,
  shout,
} from "../support/graphs.ts";
import { startServer, type TestServer } from "../support/server.ts";

const hi = { messages: [{ role: "user", content: "hi" }] };
const onThread = (thread_id: string) => ({ configurable: { thread_id } });

test("invoke answers with the full output state", async () => {
  await using server = await startServer({ graphs: [{ name: "shout", graph: shout }] });
  const answer = await server.post("/graphs/shout/invoke", { input: { text: "hello" } });
  expect(answer).toMatchObject({ status: 200, body: { output: { text: "hello!" } } });
  expect(answer.headers.get("content-type")).toBe("application/json");
  expect(answer.headers.get("cache-control")).toBe("no-store");
});

test("messages come as flat plain JSON, never as constructors", async () => {
  await using server = await startServer({ graphs: [{ name: "counter", graph: counter }] });
  const answer = await server.post("/graphs/counter/invoke", { input: hi });
  expect(answer.body).toMatchObject({
    output: {
      messages: [
        { type: "human", content: "hi" },
        { type: "ai", content: "message 1" },
      ],
    },
  });
  expect(answer.text).not.toContain("lc_");
  expect(answer.text).not.toContain('"constructor"');
});

test("a result that is not an object is wrapped", async () => {
  await using server = await startServer({ graphs: [{ name: "doubler", graph: doubler }] });
  for (const config of [null, onThread("t")]) {
    const answer = await server.post("/graphs/doubler/invoke", { input: { number: 21 }, config });
    expect(answer).toMatchObject({ status: 200, body: { output: { result: 42 } } });
  }
});

test("null stands for no config, no metadata and no command", async () => {
  await using server = await startServer({ graphs: [{ name: "shout", graph: shout }] });
  const body = { input: { text: "hello" }, config: null, metadata: null, command: null };
  expect(await server.post("/graphs/shout/invoke", body)).toMatchObject({
    status: 200,
    body: { output: { text: "hello!" } },
  });
});

test("a thread id makes a conversation; without one nothing is remembered or kept", async () => {
  await using server = await startServer({ graphs: [{ name: "counter", graph: counter }] });
  const say = async (config: object) => server.post("/graphs/counter/invoke", { input: hi, config });
  const thread = onThread("conversation 1/u?");

  await say(thread);
  expect((await say(thread)).text).toContain("message 3");
  expect((await say({})).text).toContain("message 1");

  const counts = await server.database.query(
    "select (select count(*) from langgraph.threads)::int as threads, (select count(distinct thread_id) from checkpoints)::int as saved",
  );
  expect(counts).toEqual([{ threads: 1, saved: 1 }]);
});

test("a graph that keeps no state runs, on a thread too", async () => {
  await using server = await startServer({ graphs: [{ name: "forgetting", graph: forgetting }] });
  for (const config of [null, onThread("t"), onThread("t")]) {
    const answer = await server.post("/graphs/forgetting/invoke", { input: { text: "hello" }, config });
    expect(answer).toMatchObject({ status: 200, body: { output: { text: "hello!" } } });
  }
  expect(await server.database.query("select count(*)::int from checkpoints")).toEqual([{ count: 0 }]);
});

test("an interrupt shows what it asks, and a command resumes it with the answer", async () => {
  await using server = await startServer({ graphs: [{ name: "asking", graph: asking }] });
  const config = onThread("t");
  const paused = await server.post("/graphs/asking/invoke", { input: { text: "Really?" }, config });
  expect(paused).toMatchObject({
    status: 200,
    body: { output: { text: "Really?", __interrupt__: [{ value: { question: "Really?" } }] } },
  });
  expect(await server.database.query("select status from langgraph.threads")).toEqual([
    { status: "interrupted" },
  ]);

  const resumed = await server.post("/graphs/asking/invoke", { command: { resume: "Yes" }, config });
  expect(resumed.body).toEqual({ output: { text: "Really? Yes" } });
  expect(await server.database.query("select status from langgraph.threads")).toEqual([{ status: "idle" }]);
});

test("an interrupt may be answered with false, null or a structure", async () => {
  await using server = await startServer({ graphs: [{ name: "asking", graph: asking }] });
  for (const [resume, text] of [
    [false, "Q false"],
    [0, "Q 0"],
    ["", "Q "],
    [["a", "b"], "Q a,b"],
    [null, "Q null"],
  ]) {
    const config = onThread(JSON.stringify(resume));
    await server.post("/graphs/asking/invoke", { input: { text: "Q" }, config });
    const resumed = await server.post("/graphs/asking/invoke", { command: { resume }, config });
    expect([resume, resumed.body]).toEqual([resume, { output: { text } }]);
  }
});

test("a command edits the state and goes to a node", async () => {
  await using server = await startServer({ graphs: [{ name: "shout", graph: shout }] });
  const config = onThread("t");
  await server.post("/graphs/shout/invoke", { input: { text: "one" }, config });
  const edited = await server.post("/graphs/shout/invoke", {
    command: { update: { text: "two" }, goto: "shout" },
    config,
  });
  expect(edited.body).toEqual({ output: { text: "two!" } });
});

test("a graph with an input schema takes commands, even if its input may be left out", async () => {
  const inputSchema = z.object({ text: z.string().default("Q") }).prefault({});
  await using server = await startServer({ graphs: [{ name: "asking", graph: asking, inputSchema }] });
  const paused = await server.post("/graphs/asking/invoke", { config: onThread("t") });
  expect(paused).toMatchObject({ status: 200, body: { output: { text: "Q" } } });
  const resumed = await server.post("/graphs/asking/invoke", {
    command: { resume: "A" },
    config: onThread("t"),
  });
  expect(resumed).toMatchObject({ status: 200, body: { output: { text: "Q A" } } });
});

test("the graph gets what the input schema makes of the input", async () => {
  const inputSchema = z.object({ value: z.number().default(7), text: z.string().trim().optional() });
  await using server = await startServer({ graphs: [{ name: "echo", graph: echo, inputSchema }] });
  const answer = await server.post("/graphs/echo/invoke", { input: { text: "  a ", unknown: 1 } });
  expect(answer.body).toEqual({ output: { value: 7, text: "a" } });
});

test("an input that does not match the schema is refused, and each field is named", async () => {
  const inputSchema = z.object({ value: z.object({ number: z.number() }), text: z.enum(["a", "b"]) });
  await using server = await startServer({ graphs: [{ name: "echo", graph: echo, inputSchema }] });
  const answer = await server.post("/graphs/echo/invoke", { input: { value: { number: "1" }, text: "c" } });
  expect(answer).toMatchObject({ status: 422, body: { error: "invalid_request" } });
  expect(answer.text).toContain("input.value.number: ");
  expect(answer.text).toContain("input.text: ");
  expect((await server.post("/graphs/echo/invoke", {})).status).toBe(422);
});

test("schemas may check asynchronously", async () => {
  const inputSchema = z.object({ text: z.string().refine(async (text) => text !== "no") });
  const outputSchema = z.object({ text: z.string().transform(async (text) => text.length) });
  await using server = await startServer({
    graphs: [{ name: "shout", graph: shout, inputSchema, outputSchema }],
  });
  expect(await server.post("/graphs/shout/invoke", { input: { text: "no" } })).toMatchObject({ status: 422 });
  expect((await server.post("/graphs/shout/invoke", { input: { text: "yes" } })).body).toEqual({
    output: { text: 4 },
  });
});

test("the client gets what the output schema makes of the output", async () => {
  const outputSchema = z.object({ text: z.string().transform((text) => text.length) });
  await using server = await startServer({ graphs: [{ name: "echo", graph: echo, outputSchema }] });
  const answer = await server.post("/graphs/echo/invoke", { input: { text: "four", value: "hidden" } });
  expect(answer.body).toEqual({ output: { text: 4 } });
});

test("an output that does not match the schema is the graph's failure", async () => {
  const outputSchema = z.object({ text: z.number() });
  await using server = await startServer({ graphs: [{ name: "shout", graph: shout, outputSchema }] });
  const answer = await server.post("/graphs/shout/invoke", { input: { text: "hello" } });
  expect(answer).toMatchObject({ status: 500, body: { error: "graph_failed" } });
  expect(server.errors).toHaveLength(1);
});

test("an interrupted run answers with what there is, though the output schema asks for more", async () => {
  const outputSchema = z.object({ text: z.string(), result: z.string() });
  await using server = await startServer({ graphs: [{ name: "asking", graph: asking, outputSchema }] });
  const paused = await server.post("/graphs/asking/invoke", { input: { text: "Q" }, config: onThread("t") });
  expect(paused).toMatchObject({
    status: 200,
    body: { output: { __interrupt__: [{ value: { question: "Q" } }] } },
  });
});

test("the request's config lies over the graph's, and reaches the nodes", async () => {
  const config = {
    configurable: { model: "small", user: "nobody" },
    metadata: { team: "a", app: "x" },
    tags: ["default"],
  };
  await using server = await startServer({ graphs: [{ name: "reporting", graph: reporting, config }] });
  const report = async (config?: object, metadata?: object) =>
    (await server.post("/graphs/reporting/invoke", { input: { text: "" }, config, metadata })).body;

  expect(await report()).toMatchObject({
    output: {
      report: {
        configurable: { model: "small", user: "nobody" },
        metadata: { team: "a", app: "x" },
        tags: ["default"],
      },
    },
  });
  const request = { configurable: { user: "me", thread_id: "t" }, metadata: { team: "b" }, tags: ["mine"] };
  expect(await report(request, { ticket: 7 })).toMatchObject({
    output: {
      report: {
        configurable: { model: "small", user: "me", thread_id: "t" },
        metadata: { team: "b", app: "x", ticket: 7 },
        tags: ["mine"],
      },
    },
  });
});

test("the context that is made of a request reaches the nodes", async () => {
  const context = async (request: Request) => ({
    user: request.headers.get("x-user"),
    path: new URL(request.url).pathname,
    method: request.method,
  });
  await using server = await startServer({ graphs: [{ name: "reporting", graph: reporting, context }] });
  const headers = { "content-type": "application/json", "x-user": "ada" };
  const answer = await server.post("/graphs/reporting/invoke", { input: { text: "" } }, { headers });
  expect(answer.body).toMatchObject({
    output: { report: { context: { user: "ada", path: "/api/graphs/reporting/invoke", method: "POST" } } },
  });
});

test("a context that cannot be made fails the request, leaves the thread free, and keeps its words to the log", async () => {
  const context = (request: Request): unknown => {
    if (request.headers.has("x-user")) return {};
    throw new Error("secret of the context");
  };
  await using server = await startServer({ graphs: [{ name: "shout", graph: shout, context }] });
  const body = { input: { text: "hello" }, config: onThread("t") };
  const refused = await server.post("/graphs/shout/invoke", body);
  expect(refused).toMatchObject({ status: 500, body: { error: "internal" } });
  expect(refused.text).not.toContain("secret");
  expect(server.errors).toHaveLength(1);
  const headers = { "content-type": "application/json", "x-user": "ada" };
  expect((await server.post("/graphs/shout/invoke", body, { headers })).status).toBe(200);
});

test("the recursion limit stops a graph that goes round in circles, and the answer says so", async () => {
  await using server = await startServer({ graphs: [{ name: "endless", graph: endless }] });
  const answer = await server.post("/graphs/endless/invoke", {
    input: { text: "" },
    config: { recursion_limit: 3 },
  });
  expect(answer).toMatchObject({
    status: 500,
    body: { error: "graph_failed", detail: expect.stringContaining("recursion limit") },
  });
});

test("a failure says nothing of the graph's own words, but has an id that finds them in the log", async () => {
  await using server = await startServer({ graphs: [{ name: "failing", graph: failing }] });
  for (const config of [null, onThread("t")]) {
    const answer = await server.post("/graphs/failing/invoke", { input: { text: "a" }, config });
    expect(answer).toMatchObject({ status: 500, body: { error: "graph_failed" } });
    expect(answer.text).not.toMatch(/secret|second|\.ts|node_modules| at /);
    const [, errorId] = /\(error id ([0-9a-f-]{36})\)/.exec(answer.text) ?? [];
    expect(server.errors.at(-1)).toMatchObject({
      fields: { error_id: errorId, err: { message: "secret of the graph" } },
    });
  }
  const runs = await server.database.query("select status, error from langgraph.runs");
  expect(runs).toMatchObject([
    { status: "error", error: expect.stringMatching(/^Graph execution failed \(error id/) },
  ]);
});

/** Sends a run and leaves as soon as its graph is at work. */
async function sendAndLeave(url: string, body: object, entered: Promise<void>): Promise<void> {
  const client = request(url, { method: "POST", agent: false }).on("error", () => undefined);
  client.end(JSON.stringify(body));
  await entered;
  client.destroy();
}

test.each(["invoke", "stream"])(
  "a run without a thread stops when the client of its %s goes away",
  async (door) => {
    const { graph, entered, aborted } = abortable();
    await using server = await startServer({ graphs: [{ name: "abortable", graph }] });
    await sendAndLeave(`${server.url}/graphs/abortable/${door}`, { input: { text: "" } }, entered);
    await aborted;
  },
);

test.each(["invoke", "stream"])(
  "a run with a thread goes on when the client of its %s goes away",
  async (door) => {
    const { graph, entered, open } = gated();
    await using server = await startServer({ graphs: [{ name: "gated", graph }] });
    const body = { input: { text: "later" }, config: onThread("t") };
    await sendAndLeave(`${server.url}/graphs/gated/${door}`, body, entered);
    await vi.waitFor(
      async () => expect(await state(server)).toMatchObject({ values: { text: "later" }, next: ["wait"] }),
      { timeout: 15_000 },
    );
    open();
    await vi.waitFor(
      async () =>
        expect(await state(server)).toMatchObject({ values: { text: "later after all" }, next: [] }),
      { timeout: 15_000 },
    );
  },
);

async function state(server: TestServer): Promise<unknown> {
  return (await server.get("/graphs/gated/threads/t/state")).body;
}
