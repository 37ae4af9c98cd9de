import { randomBytes } from "node:crypto";
import { expect, test } from "vitest";
import { z } from "zod";
import { remembering, shout } from "../support/graphs.ts";
import { startServer, type TestServer } from "../support/server.ts";

const graphs = [{ name: "shout", graph: shout }];

const Rows = z.object({ count: z.int(), bytes: z.int() });
const Storage = z.object({
  total_bytes: z.int(),
  checkpoints: Rows,
  channel_values: Rows.extend({
    by_channel: z.record(z.string(), z.object({ versions: z.int(), bytes: z.int() })),
  }),
  pending_writes: Rows,
});

const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0);

const run = async (server: TestServer, graph: string, thread_id: string, text: string) =>
  server.post(`/graphs/${graph}/invoke`, { input: { text }, config: { configurable: { thread_id } } });

test("a thread's storage is what its checkpoints, values and writes take up, by channel too", async () => {
  await using server = await startServer({ graphs });
  const text = randomBytes(20_000).toString("base64"); // cannot be compressed to less than the bytes
  await run(server, "shout", "t", text);
  await run(server, "shout", "other", text);
  const history = await server.post("/threads/t/history", { limit: 100 });
  const storage = await server.get("/threads/t/storage");
  expect(storage).toMatchObject({
    status: 200,
    body: {
      thread_id: "t",
      checkpoints: { count: Array.isArray(history.body) ? history.body.length : 0 },
      channel_values: { by_channel: { text: { versions: 2 } } },
    },
  });
  const { total_bytes, checkpoints, channel_values, pending_writes } = Storage.parse(storage.body);
  const channels = Object.values(channel_values.by_channel);
  expect(channel_values.count).toBe(sum(channels.map(({ versions }) => versions)));
  expect(channel_values.bytes).toBe(sum(channels.map(({ bytes }) => bytes)));
  expect(total_bytes).toBe(checkpoints.bytes + channel_values.bytes + pending_writes.bytes);
  expect(channel_values.by_channel["text"]?.bytes).toBeGreaterThan(2 * 20_000);
  expect(pending_writes.bytes).toBeGreaterThan(20_000);
  expect(checkpoints.bytes).toBeGreaterThan(0);
});

test("a thread whose history is forgotten takes up less", async () => {
  await using server = await startServer({ graphs });
  await run(server, "shout", "t", "a");
  await run(server, "shout", "t", "b");
  const before = Storage.parse((await server.get("/threads/t/storage")).body);
  await server.post("/threads/prune", { thread_ids: ["t"], strategy: "keep_latest" });
  const after = Storage.parse((await server.get("/threads/t/storage")).body);
  expect(after.checkpoints.count).toBe(1);
  expect(after.total_bytes).toBeLessThan(before.total_bytes);
});

test("a thread without a state takes up nothing", async () => {
  await using server = await startServer({ graphs });
  await server.post("/threads", { thread_id: "t" });
  expect((await server.get("/threads/t/storage")).body).toEqual({
    thread_id: "t",
    total_bytes: 0,
    checkpoints: { count: 0, bytes: 0 },
    channel_values: { count: 0, bytes: 0, by_channel: {} },
    pending_writes: { count: 0, bytes: 0 },
  });
});

test("there is no storage of a thread that is not there, or whose graph keeps its states itself", async () => {
  const { graph } = remembering();
  await using server = await startServer({ graphs: [{ name: "remembering", graph }] });
  await run(server, "remembering", "t", "a");
  expect(await server.get("/threads/u/storage")).toMatchObject({ status: 404, body: { error: "not_found" } });
  expect(await server.get("/threads/t/storage")).toMatchObject({
    status: 422,
    body: { error: "invalid_request", detail: expect.stringContaining("cannot be measured") },
  });
});
