/** docs/examples/copy-deployment.ts, which takes a deployment's data over: from the official server, and from one of ours. */

import { randomUUID } from "node:crypto";
import type { Client } from "@langchain/langgraph-sdk";
import { afterAll, beforeAll, expect, test } from "vitest";
import { copyDeployment } from "../../docs/examples/copy-deployment.ts";
import { clientOf } from "../support/sdk.ts";
import { startServer, type TestServer } from "../support/server.ts";
import * as graphs from "./graphs.ts";
import { startOfficialServer, type OfficialServer } from "./official-server.ts";

const served = Object.entries(graphs).map(([name, graph]) => ({ name, graph }));

let official: OfficialServer;
beforeAll(async () => {
  official = await startOfficialServer(Object.keys(graphs));
}, 240_000);
afterAll(async () => official[Symbol.asyncDispose]());

const ours = async (): Promise<TestServer> => startServer({ graphs: served });

/** A thread on which the graph has run. */
async function ran(client: Client, graph: string, input: Record<string, unknown>): Promise<string> {
  const { thread_id } = await client.threads.create({ metadata: { customer: "ada" } });
  await client.runs.wait(thread_id, graph, { input, raiseError: false });
  return thread_id;
}

interface Filled {
  readonly assistant: string;
  readonly threads: Readonly<Record<"steps" | "agent" | "nested" | "asker" | "failer" | "empty", string>>;
}

async function fill(client: Client): Promise<Filled> {
  const assistant = randomUUID();
  const config = (level: number) => ({ configurable: { level } });
  await client.assistants.create({
    assistantId: assistant,
    graphId: "steps",
    name: "one",
    config: config(1),
  });
  await client.assistants.update(assistant, { name: "two", config: config(2) });
  await client.assistants.update(assistant, { name: "three", config: config(3) });
  await client.assistants.setLatest(assistant, 2);
  await client.store.putItem(["users", "ada"], "language", { is: "German" });
  await client.store.putItem(["users", "ada", "pets"], "cat", { name: "Mina" });
  const text = { text: "a" };
  const [steps, agent, nested, asker, failer] = [
    await ran(client, "steps", text),
    await ran(client, "agent", { messages: [{ id: "question", role: "user", content: "Sunny?" }] }),
    await ran(client, "nested", text),
    await ran(client, "asker", text),
    await ran(client, "failer", text),
  ];
  const empty = (await client.threads.create()).thread_id;
  return { assistant, threads: { steps, agent, nested, asker, failer, empty } };
}

/** What is to be the same on both sides. */
async function contents(client: Client, { assistant, threads }: Filled): Promise<unknown> {
  const { name, version, config } = await client.assistants.get(assistant);
  const states = await Promise.all(
    Object.values(threads).map(async (id) => {
      const { values, next } = await client.threads.getState(id);
      return { values, next, metadata: (await client.threads.get(id)).metadata };
    }),
  );
  const items = await client.store.searchItems(["users"]);
  const stored = items.items.map(({ namespace, key, value }) => ({ namespace, key, value }));
  const versions = await client.assistants.getVersions(assistant);
  return {
    assistant: { name, version, config, versions: versions.map((one) => [one.version, one.name]) },
    states,
    stored: stored.toSorted((a, b) => a.key.localeCompare(b.key)),
  };
}

const none = { assistants: 0, threads: 0, crons: 0, store: 0 };

test("of the official server's deployment, assistants, threads and items are there afterwards, and go on", async () => {
  const from = clientOf(official);
  const filled = await fill(from);
  await using server = await ours();
  const to = clientOf(server);
  const parts = ["assistants", "threads", "store"] as const; // that server has no crons
  const { asker, failer, steps } = filled.threads;
  const copied = { assistants: 1, threads: 6, crons: 0, store: 2 };
  const report = { displaced: [], waiting: [asker] };
  expect(await copyDeployment(from, to, parts)).toEqual({ ...report, copied, kept: none });
  expect(await contents(to, filled)).toEqual(await contents(from, filled));
  expect(await copyDeployment(from, to, parts)).toEqual({
    displaced: [],
    waiting: [],
    copied: none,
    kept: copied,
  });

  // A thread that had ended takes its next input, one that waits asks again, and one that had failed goes on there.
  expect(await to.runs.wait(steps, "steps", { input: { text: "b" } })).toMatchObject({
    text: "b, first, second",
    seen: ["first", "second", "first", "second"],
  });
  await to.runs.wait(asker, "asker", { input: null });
  expect(await to.threads.get(asker)).toMatchObject({ status: "interrupted" });
  const answered = await to.runs.wait(asker, "asker", { command: { resume: "yes" } });
  expect(answered).toMatchObject({ text: "a yes" });
  const failed = await to.runs.wait(failer, "failer", { input: null, raiseError: false });
  expect(JSON.stringify(failed)).toContain("__error__");
});

test("of a deployment of ours, crons are there as well, paused", async () => {
  await using first = await ours();
  await using second = await ours();
  const [from, to] = [clientOf(first), clientOf(second)];
  const filled = await fill(from);
  const input = { text: "a" };
  const cron = { schedule: "0 7 * * *", timezone: "Europe/Berlin", input, metadata: { team: "a" } };
  await from.crons.create("steps", { ...cron, onRunCompleted: "keep" });
  await from.crons.createForThread(filled.threads.steps, filled.assistant, { schedule: "0 8 * * *", input });
  const copied = { assistants: 1, threads: 6, crons: 2, store: 2 };
  expect(await copyDeployment(from, to)).toMatchObject({ copied, kept: none, displaced: [] });
  expect(await copyDeployment(from, to)).toMatchObject({ copied: none, kept: copied });
  expect(await contents(to, filled)).toEqual(await contents(from, filled));
  const [daily, ofThread] = await to.crons.search({ sortBy: "created_at", sortOrder: "asc" });
  const { schedule, timezone } = cron;
  expect(daily).toMatchObject({ schedule, timezone, enabled: false, on_run_completed: "keep" });
  expect(daily).toMatchObject({ payload: { input }, metadata: { team: "a" } });
  expect(ofThread).toMatchObject({ thread_id: filled.threads.steps, assistant_id: filled.assistant });
  expect(await to.crons.update(daily?.cron_id ?? "", { enabled: true })).toMatchObject({ enabled: true });
});
