import { randomUUID } from "node:crypto";
import { Client } from "@langchain/langgraph-sdk";
import { expect, test, vi } from "vitest";
import { z } from "zod";
import { counter, gated, shout } from "../support/graphs.ts";
import { startReceiver } from "../support/receiver.ts";
import { allParts, clientOf } from "../support/sdk.ts";
import { type Answer, startServer, type TestServer } from "../support/server.ts";

const input = { text: "hello" };
const graphs = [
  { name: "shout", graph: shout },
  { name: "counter", graph: counter },
];

function keyed(key: string) {
  return { headers: { "content-type": "application/json", "idempotency-key": key } };
}

async function runsOf({ database }: TestServer): Promise<unknown> {
  const [found] = await database.query("select count(*)::int as runs from langgraph.runs");
  return found?.["runs"];
}

/** What differs between the answers to the same request: nothing but the mark of the second one. */
function expectRepeat(first: Answer, second: Answer): void {
  expect([second.status, second.text]).toEqual([first.status, first.text]);
  expect(first.headers.get("idempotent-replayed")).toBeNull();
  expect(second.headers.get("idempotent-replayed")).toBe("true");
}

test("a run that is asked for twice is made once, and answered twice alike", async () => {
  await using server = await startServer({ graphs });
  const { thread_id } = await clientOf(server).threads.create();
  const body = { assistant_id: "shout", input };
  const path = `/threads/${thread_id}/runs`;
  const first = await server.post(path, body, keyed("one"));
  const second = await server.post(path, body, keyed("one"));
  expectRepeat(first, second);
  expect(await runsOf(server)).toBe(1);
  const other = await server.post(path, body, keyed("two"));
  expect(other.body).not.toEqual(first.body);
  expect(await runsOf(server)).toBe(2);
});

test("the same JSON in another order is the same request", async () => {
  await using server = await startServer({ graphs });
  const first = await server.post(
    "/runs",
    { assistant_id: "shout", input: { text: "a", more: 1 } },
    keyed("k"),
  );
  const second = await server.post(
    "/runs",
    { input: { more: 1, text: "a" }, assistant_id: "shout" },
    keyed("k"),
  );
  expect([first.status, second.body]).toEqual([200, first.body]);
});

test("another request with the same key is refused", async () => {
  await using server = await startServer({ graphs });
  const { thread_id } = await clientOf(server).threads.create();
  const path = `/threads/${thread_id}/runs`;
  const body = { assistant_id: "shout", input };
  expect((await server.post(path, body, keyed("key"))).status).toBe(200);
  for (const [other, changed] of [
    [path, { ...body, input: { text: "other" } }],
    [`${path}/wait`, body],
    ["/runs", body],
    ["/threads", {}],
  ] as const) {
    const { status, body: answer } = await server.post(other, changed, keyed("key"));
    expect([other, status, answer]).toEqual([
      other,
      422,
      {
        error: "invalid_request",
        detail: "Idempotency-Key: another request has been made with this key",
      },
    ]);
  }
  expect(await runsOf(server)).toBe(1);
});

test.each([["a".repeat(256)], [""], ["ä"]])("%s is no key", async (key) => {
  await using server = await startServer({ graphs });
  const { status, body } = await server.post("/runs", { assistant_id: "shout", input }, keyed(key));
  expect([status, body]).toEqual([
    422,
    {
      error: "invalid_request",
      detail: "Idempotency-Key: expected 1 to 255 printable ASCII characters",
    },
  ]);
});

test("who waits again gets what the first call's run comes to, also while it runs", async () => {
  const { graph, open, entered } = gated();
  await using server = await startServer({ graphs: [{ name: "gated", graph }] });
  const { thread_id } = await clientOf(server).threads.create();
  const ask = async () =>
    server.post(`/threads/${thread_id}/runs/wait`, { assistant_id: "gated", input }, keyed("key"));
  const first = ask();
  await entered;
  const second = ask();
  await vi.waitFor(
    async () => expect(await server.database.query("select from langgraph.idempotency_keys")).toHaveLength(1),
    { timeout: 15_000 },
  );
  open();
  expect((await first).body).toEqual({ text: "hello after all" });
  expect((await second).body).toEqual({ text: "hello after all" });
  expect((await ask()).body).toEqual({ text: "hello after all" });
  expect(await runsOf(server)).toBe(1);
});

test.each(["values", "updates"])(
  "a stateless run that is over and gone is answered from its log, streamed as %s or not",
  async (stream_mode) => {
    await using server = await startServer({ graphs });
    const body = { assistant_id: "shout", input, stream_mode };
    const first = await server.post("/runs/wait", body, keyed("key"));
    expect(first.body).toEqual({ text: "hello!" });
    expect([await runsOf(server), await server.database.query("select from langgraph.threads")]).toEqual([
      0,
      [],
    ]);
    const second = await server.post("/runs/wait", body, keyed("key"));
    expect(JSON.parse(second.text)).toEqual({ text: "hello!" });
    expect(second.headers.get("idempotent-replayed")).toBe("true");
    expect(await runsOf(server)).toBe(0);
  },
);

test("who streams again gets every event of the first call's run", async () => {
  await using server = await startServer({ graphs });
  const keyedClient = () =>
    new Client({
      apiUrl: server.url,
      defaultHeaders: { "idempotency-key": randomUUID() },
      callerOptions: { maxRetries: 0 },
    });
  for (const thread of [null, (await clientOf(server).threads.create()).thread_id]) {
    const { runs } = keyedClient();
    const stream = async () =>
      thread === null
        ? allParts(runs.stream(null, "shout", { input, streamMode: ["updates", "values"] }))
        : allParts(runs.stream(thread, "shout", { input, streamMode: ["updates", "values"] }));
    const first = await stream();
    expect(first.map(({ event }) => event)).toEqual(["metadata", "values", "updates", "values"]);
    expect(await stream()).toEqual(first);
  }
  const client = keyedClient();
  const created = await client.runs.create(null, "shout", { input });
  expect(await client.runs.create(null, "shout", { input })).toEqual(created);
});

test("of requests at the same instant on two instances, one makes the run and all get its result", async () => {
  await using first = await startServer({ graphs });
  await using second = await startServer({ graphs, local: { databaseUrl: first.database.url } });
  const { thread_id } = await clientOf(first).threads.create();
  for (const path of ["/runs/wait", `/threads/${thread_id}/runs/wait`]) {
    for (const multitask_strategy of ["enqueue", "reject", "interrupt", "rollback"]) {
      const body = { assistant_id: "shout", input, multitask_strategy };
      const key = randomUUID();
      const answers = await Promise.all(
        [first, second, first, second, first, second].map(async ({ post }) => post(path, body, keyed(key))),
      );
      expect(answers.map(({ text }) => JSON.parse(text) as unknown)).toEqual(
        answers.map(() => ({ text: "hello!" })),
      );
      expect(answers.filter(({ headers }) => headers.get("idempotent-replayed") === null)).toHaveLength(1);
    }
  }
  const threads = await first.database.query("select active_runs from langgraph.threads");
  expect(threads).toEqual([{ active_runs: 0 }]);
});

test("a batch that broke off is completed, and nothing of it is made twice", async () => {
  await using receiver = await startReceiver();
  await using server = await startServer({ graphs, webhooks: { allowPrivateAddresses: true } });
  const items = ["a", "b", "c"].map((text) => ({
    assistant_id: "shout",
    input: { text },
    webhook: receiver.url,
  }));
  const first = await server.post("/runs/batch", items, keyed("key"));
  await receiver.after(3);
  await server.database.query("delete from langgraph.idempotency_keys where key like '%2'");
  const second = await server.post("/runs/batch", items, keyed("key"));
  const ids = z.array(z.object({ run_id: z.string() }));
  const [a, b, c] = ids.parse(first.body);
  const again = ids.parse(second.body);
  expect(again.slice(0, 2)).toEqual([a, b]);
  expect(again[2]).not.toEqual(c);
  expect(second.headers.get("idempotent-replayed")).toBeNull();
  await receiver.after(4);
  const third = await server.post("/runs/batch", items, keyed("key"));
  expect([third.body, third.headers.get("idempotent-replayed")]).toEqual([second.body, "true"]);
});

test("a thread that is asked for twice is made once", async () => {
  await using server = await startServer({ graphs });
  const body = { metadata: { a: 1 } };
  const answers = await Promise.all(
    [1, 2, 3, 4].map(async () => server.post("/threads", body, keyed("key"))),
  );
  expect(answers.map(({ status, body: thread }) => [status, thread])).toEqual(
    answers.map(() => [200, answers[0]?.body]),
  );
  const named = { ...body, thread_id: "named", if_exists: "raise" };
  for (const _ of [1, 2]) expect((await server.post("/threads", named, keyed("other"))).status).toBe(200);
  const supersteps = [{ updates: [{ values: input, as_node: "__start__" }] }];
  const stepped = { metadata: { graph_id: "shout" }, supersteps };
  const [once, twice] = [
    await server.post("/threads", stepped, keyed("third")),
    await server.post("/threads", stepped, keyed("third")),
  ];
  expect([once.status, twice.body]).toEqual([200, once.body]);
  expect(await server.database.query("select from langgraph.threads")).toHaveLength(3);
});

test("a thread that was deleted meanwhile is not made again", async () => {
  await using server = await startServer({ graphs });
  const { thread_id } = z
    .object({ thread_id: z.string() })
    .parse((await server.post("/threads", {}, keyed("key"))).body);
  await clientOf(server).threads.delete(thread_id);
  const { status } = await server.post("/threads", {}, keyed("key"));
  expect(status).toBe(404);
});

test("a request that was refused leaves its key unused", async () => {
  const { graph, open, entered } = gated();
  await using server = await startServer({ graphs: [{ name: "gated", graph }] });
  const { thread_id } = await clientOf(server).threads.create();
  const busy = server.post(`/threads/${thread_id}/runs/wait`, { assistant_id: "gated", input });
  await entered;
  const ask = async () =>
    server.post(
      `/threads/${thread_id}/runs/wait`,
      { assistant_id: "gated", input, multitask_strategy: "reject" },
      keyed("key"),
    );
  expect((await ask()).status).toBe(409);
  open();
  await busy;
  const answer = await ask();
  expect([answer.status, answer.body]).toEqual([200, { text: "hello after all" }]);
});

test("a key is good for 24 hours, and a tick forgets it after that", async () => {
  await using server = await startServer({ graphs });
  const ask = async () => server.post("/runs", { assistant_id: "shout", input }, keyed("key"));
  const first = await ask();
  const age = (interval: string) =>
    server.database.query("update langgraph.idempotency_keys set created_at = now() - $1::interval", [
      interval,
    ]);
  await age("23 hours 59 minutes");
  expect((await ask()).headers.get("idempotent-replayed")).toBe("true");
  await age("24 hours 1 minute");
  const later = await ask();
  expect(later.status).toBe(200);
  expect(later.headers.get("idempotent-replayed")).toBeNull();
  expect(later.body).not.toEqual(first.body);
  await age("25 hours");
  await vi.waitFor(
    async () => expect(await server.database.query("select from langgraph.idempotency_keys")).toEqual([]),
    { timeout: 15_000 },
  );
});

test("the native API takes keys, too", async () => {
  await using server = await startServer({ graphs });
  const body = { input };
  const runs = "/graphs/shout/runs";
  expectRepeat(await server.post(runs, body, keyed("runs")), await server.post(runs, body, keyed("runs")));
  const invoke = "/graphs/shout/invoke";
  expectRepeat(
    await server.post(invoke, body, keyed("invoke")),
    await server.post(invoke, body, keyed("invoke")),
  );
  const stream = "/graphs/shout/stream";
  const [once, twice] = [
    await server.post(stream, body, keyed("stream")),
    await server.post(stream, body, keyed("stream")),
  ];
  expect([once.status, twice.text]).toEqual([200, once.text]);
  const conversation = {
    input: { messages: ["hi"] },
    config: { configurable: { thread_id: "conversation" } },
  };
  const reply = async () => server.post("/graphs/counter/invoke", conversation, keyed("conversation"));
  expect((await reply()).text).toBe((await reply()).text);
});

test("a stateless run with a key goes on when its client goes away, who comes back for the result", async () => {
  const { graph, open, entered } = gated();
  await using server = await startServer({ graphs: [{ name: "gated", graph }] });
  const body = { assistant_id: "gated", input };
  const left = new AbortController();
  const first = server.post("/runs/wait", body, { ...keyed("key"), signal: left.signal }).catch(() => "gone");
  await entered;
  left.abort();
  expect(await first).toBe("gone");
  const second = server.post("/runs/wait", body, keyed("key"));
  open();
  expect((await second).body).toEqual({ text: "hello after all" });
});

test("the request itself is not kept with its key", async () => {
  await using server = await startServer({ graphs });
  await server.post("/runs/wait", { assistant_id: "shout", input: { text: "a secret" } }, keyed("key"));
  const kept = await server.database.query("select k::text from langgraph.idempotency_keys k");
  expect(JSON.stringify(kept)).not.toContain("a secret");
});
