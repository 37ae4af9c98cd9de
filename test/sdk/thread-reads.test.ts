import { Client } from "@langchain/langgraph-sdk";
import { expect, test } from "vitest";
import { z } from "zod";
import { asking, counter, echo, shout } from "../support/graphs.ts";
import { clientOf } from "../support/sdk.ts";
import { startServer } from "../support/server.ts";

const graphs = [
  { name: "shout", graph: shout },
  { name: "counter", graph: counter },
  { name: "asking", graph: asking },
  { name: "echo", graph: echo },
];
const hello = { messages: [{ role: "user", content: "hello" }] };

test("a search extracts parts of threads, by names of its own", async () => {
  await using server = await startServer({ graphs });
  const { threads, runs } = clientOf(server);
  await threads.create({ threadId: "empty" });
  await threads.create({ threadId: "full", metadata: { user: { name: "Ada", "0": "zero" } } });
  await runs.wait("full", "counter", { input: hello });
  await threads.create({ threadId: "waiting" });
  await runs.wait("waiting", "asking", { input: { text: "who?" } });
  const [task] = Object.keys((await threads.get("waiting")).interrupts ?? {});
  const extract = {
    first: "values.messages[0].content",
    last: "values.messages[-1].content",
    who: "metadata.user.name",
    all: "metadata.user",
    missing: "values.messages[7].content.deeper",
    asked: "interrupts",
  };
  const found = await threads.search({
    extract,
    sortBy: "thread_id",
    sortOrder: "asc",
    select: ["thread_id"],
  });
  expect(found).toEqual([
    {
      thread_id: "empty",
      extracted: { first: null, last: null, who: null, all: null, missing: null, asked: {} },
    },
    {
      thread_id: "full",
      extracted: {
        first: "hello",
        last: "message 1",
        who: "Ada",
        all: { name: "Ada", "0": "zero" },
        missing: null,
        asked: {},
      },
    },
    {
      thread_id: "waiting",
      extracted: {
        first: null,
        last: null,
        who: null,
        all: null,
        missing: null,
        asked: { [String(task)]: [expect.objectContaining({ value: { question: "who?" } })] },
      },
    },
  ]);
  const [whole] = await threads.search({ ids: ["full"], extract: { state: "values" } });
  expect(whole?.extracted?.["state"]).toEqual(whole?.values);
});

test("states and histories come with the fields that are asked for", async () => {
  await using server = await startServer({ graphs });
  const { threads, runs } = clientOf(server);
  const { thread_id } = await threads.create();
  await runs.wait(thread_id, "echo", { input: { text: "a", value: [1] } });
  const whole = await threads.getState(thread_id);
  const select = ["next", "values.text", "values.nothing"];
  const shown = { next: [], values: { text: "a" } };
  const query = "select=next&select=values.text&select=values.nothing";
  const id = String(whole.checkpoint.checkpoint_id);
  for (const path of [
    `state?${query}`,
    `state?select=${encodeURIComponent(JSON.stringify(select))}`,
    `state/${id}?${query}`,
  ])
    expect([path, (await server.get(`/threads/${thread_id}/${path}`)).body]).toEqual([path, shown]);
  const at = await server.post(`/threads/${thread_id}/state/checkpoint`, {
    checkpoint: { checkpoint_id: id },
    select,
  });
  expect(at.body).toEqual(shown);
  const history = await server.post(`/threads/${thread_id}/history`, {
    limit: 1,
    select: ["values", "created_at"],
  });
  expect(history.body).toEqual([{ values: whole.values, created_at: whole.created_at }]);
  expect((await server.get(`/threads/${thread_id}/history?limit=1&select=next`)).body).toEqual([
    { next: [] },
  ]);
  for (const refused of ["select=secrets", "select=values.", "select="])
    expect((await server.get(`/threads/${thread_id}/state?${refused}`)).status).toBe(422);
});

test("a list of runs says how many there are, and where the next page starts", async () => {
  await using server = await startServer({ graphs });
  const { threads, runs } = clientOf(server);
  const { thread_id } = await threads.create();
  for (const _ of [1, 2, 3]) await runs.wait(thread_id, "counter", { input: hello });
  const pages = [];
  for (const query of ["limit=2", "limit=2&offset=2", "limit=3", "status=error", "limit=1&status=success"]) {
    const { headers } = await server.get(`/threads/${thread_id}/runs?${query}`);
    pages.push([headers.get("x-pagination-total"), headers.get("x-pagination-next")]);
  }
  expect(pages).toEqual([
    ["3", "2"],
    ["3", null],
    ["3", null],
    ["0", null],
    ["3", "1"],
  ]);
});

test("an edit that names the state which it was made on is refused when the thread has gone on", async () => {
  await using server = await startServer({ graphs });
  const { threads, runs } = clientOf(server);
  const { thread_id } = await threads.create();
  await runs.wait(thread_id, "shout", { input: { text: "a" } });
  const read = await server.get(`/threads/${thread_id}/state`);
  const seen = read.headers.get("etag") ?? "";
  const { checkpoint } = z.object({ checkpoint: z.object({ checkpoint_id: z.string() }) }).parse(read.body);
  expect(seen).toBe(`"${checkpoint.checkpoint_id}"`);
  const careful = new Client({
    apiUrl: server.url,
    defaultHeaders: { "if-match": seen },
    callerOptions: { maxRetries: 0 },
  });
  await careful.threads.updateState(thread_id, { values: { text: "b" } });
  await expect(careful.threads.updateState(thread_id, { values: { text: "c" } })).rejects.toMatchObject({
    status: 409,
  });
  const path = `/threads/${thread_id}/state`;
  const edit = async (tag: string) =>
    server.post(
      path,
      { values: { text: "d" } },
      { headers: { "content-type": "application/json", "if-match": tag } },
    );
  expect((await edit(checkpoint.checkpoint_id)).body).toMatchObject({ error: "state_moved" });
  expect((await edit('W/"x", "y"')).body).toEqual({
    error: "invalid_request",
    detail: "If-Match: expected the id of a checkpoint",
  });
  const now = (await server.get(path)).headers.get("etag") ?? "";
  expect((await edit(now)).status).toBe(200);
  await threads.updateState(thread_id, { values: { text: "e" }, checkpointId: checkpoint.checkpoint_id });
  expect(await threads.getState(thread_id)).toMatchObject({ values: { text: "e" } });
});

test("of two edits at once that were made on the same state, one is refused", async () => {
  await using server = await startServer({ graphs });
  const { threads, runs } = clientOf(server);
  const { thread_id } = await threads.create();
  await runs.wait(thread_id, "shout", { input: { text: "a" } });
  const etag = (await server.get(`/threads/${thread_id}/state`)).headers.get("etag") ?? "";
  const headers = { "content-type": "application/json", "if-match": etag };
  const answers = await Promise.all(
    ["b", "c", "d"].map(async (text) =>
      server.post(`/threads/${thread_id}/state`, { values: { text } }, { headers }),
    ),
  );
  expect(answers.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([200, 409, 409]);
});

test("an edit of an older state is a fork of it, with values of its own", async () => {
  await using server = await startServer({ graphs });
  const { threads, runs } = clientOf(server);
  const { thread_id } = await threads.create();
  await runs.wait(thread_id, "shout", { input: { text: "a" } });
  const { checkpoint } = await threads.getState(thread_id);
  const checkpointId = String(checkpoint.checkpoint_id);
  for (const text of ["b", "c", "d"]) {
    await threads.updateState(thread_id, { values: { text }, checkpointId });
    expect(await threads.getState(thread_id)).toMatchObject({
      values: { text },
      parent_checkpoint: { checkpoint_id: checkpointId },
    });
  }
});
