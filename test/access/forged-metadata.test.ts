/** A thread's metadata is its user's to write, also what it says of its graph; which graphs a key opens does not follow from it. */

import { afterAll, beforeAll, expect, test } from "vitest";
import { z } from "zod";
import { openParts, type AppParts } from "../../src/app-parts.ts";
import { makeRoutes, openFetch } from "../../src/app-routes.ts";
import { assistantIdOf } from "../../src/core/default-assistants.ts";
import { GraphRegistry } from "../../src/core/graphs.ts";
import type { AuthLevel } from "../../src/core/model.ts";
import { parseOptions } from "../../src/options.ts";
import { testDatabase, type TestDatabase } from "../support/database.ts";
import { pausing, shout } from "../support/graphs.ts";

let database: TestDatabase;
let ask: (level: AuthLevel, endpoint: string, body?: object) => Promise<{ status: number; body: unknown }>;
let parts: AppParts;

beforeAll(async () => {
  database = await testDatabase();
  const options = parseOptions({ authLevel: "function" });
  const registry = new GraphRegistry();
  registry.add({ name: "open", graph: pausing }, options);
  registry.add({ name: "closed", graph: shout, authLevel: "admin" }, options);
  registry.add({ name: "asking", graph: pausing, authLevel: "admin" }, options);
  const settings = {
    database: { url: database.url, poolSize: 2, migrate: false },
    logLevel: "silent",
    resumeLinkSecrets: ["a-secret-of-the-tests-of-32-bytes-or-more"],
  } as const;
  const { signal } = new AbortController();
  parts = openParts(options, registry, { settings }, signal);
  const answer = openFetch(options, makeRoutes(options, registry, parts), parts);
  ask = async (authLevel, endpoint, body) => {
    const [method = "", path = ""] = endpoint.split(" ");
    const headers = { "content-type": "application/json" };
    const sent = body === undefined ? {} : { body: JSON.stringify(body) };
    const request = new Request(`http://app.example/api${path}`, { method, headers, ...sent });
    const response = await answer(request, { authLevel, signal });
    return { status: response.status, body: await response.json() };
  };
});

afterAll(async () => {
  await parts.database[Symbol.asyncDispose]();
  await database[Symbol.asyncDispose]();
});

const REFUSED = { error: "forbidden", detail: "This function key does not open this endpoint" };

async function runs(thread: string): Promise<unknown[]> {
  return database.query("select graph_id from langgraph.runs where thread_id = $1", [thread]);
}

async function waiting(level: AuthLevel, thread: string, assistant_id: string): Promise<void> {
  const body = { assistant_id, input: {}, if_not_exists: "create" };
  expect((await ask(level, `POST /threads/${thread}/runs/wait`, body)).status).toBe(200);
}

test("a command that goes on with a thread's assistant runs no graph that the key does not open", async () => {
  await waiting("function", "commanded", "open");
  const { body } = await ask("function", "GET /threads/commanded/state");
  const State = z.object({
    checkpoint: z.object({ checkpoint_id: z.string() }),
    tasks: z.array(z.object({ interrupts: z.array(z.object({ id: z.string() })) })),
  });
  const { checkpoint, tasks } = State.parse(body);
  const metadata = { assistant_id: assistantIdOf("closed") };
  expect((await ask("function", "PATCH /threads/commanded", { metadata })).status).toBe(200);
  const commands = [
    { id: 1, method: "state.fork", params: { checkpoint_id: checkpoint.checkpoint_id } },
    {
      id: 2,
      method: "input.respond",
      params: { namespace: [], interrupt_id: tasks[0]?.interrupts[0]?.id, response: "yes" },
    },
  ];
  for (const command of commands) {
    const answer = await ask("function", "POST /threads/commanded/commands", command);
    expect([command.method, answer]).toMatchObject([command.method, { status: 403, body: REFUSED }]);
  }
  expect(await runs("commanded")).toEqual([{ graph_id: "open" }]);
  expect((await ask("admin", "POST /threads/commanded/commands", commands[0])).status).toBe(200);
});

test("a resume link is for who may run the graph that asks, whatever the thread says that it is", async () => {
  await waiting("admin", "linked", "asking");
  const make = async (level: AuthLevel) => ask(level, "POST /threads/linked/resume-links", {});
  expect(await make("function")).toMatchObject({ status: 403, body: REFUSED });
  await ask("function", "PATCH /threads/linked", { metadata: { graph_id: "open" } });
  expect(await make("function")).toMatchObject({ status: 403, body: REFUSED });
  expect((await make("admin")).status).toBe(200);
});

test("an edit, which runs a graph's code, is for who may run the graph", async () => {
  const metadata = { graph_id: "closed" };
  await ask("function", "POST /threads", { thread_id: "edited", metadata });
  const edit = { values: { text: "x" } };
  const state = async (level: AuthLevel) => ask(level, "POST /threads/edited/state", edit);
  expect(await state("function")).toMatchObject({ status: 403, body: REFUSED });
  expect((await state("admin")).status).toBe(200);
  const made = {
    thread_id: "made",
    metadata,
    supersteps: [{ updates: [{ values: { text: "x" }, as_node: "shout" }] }],
  };
  expect(await ask("function", "POST /threads", made)).toMatchObject({ status: 403, body: REFUSED });
  expect(await database.query("select from langgraph.threads where thread_id = 'made'")).toEqual([]);
});
