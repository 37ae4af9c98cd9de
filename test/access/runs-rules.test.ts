/** Runs where an `Auth` object of the official SDK decides what callers do. */

import { Auth } from "@langchain/langgraph-sdk/auth";
import { Annotation, START, StateGraph, type LangGraphRunnableConfig } from "@langchain/langgraph";
import { expect, test } from "vitest";
import { z } from "zod";
import { appWithUsers, textOf, type AppWithUsers } from "../support/users.ts";
import { reporting, shout } from "../support/graphs.ts";

const graphs = [
  { name: "shout", graph: shout },
  { name: "reporting", graph: reporting },
];
const run = { assistant_id: "shout", input: { text: "a" } };
const GONE = "00000000-0000-4000-8000-000000000000";

/** Callers are who the header says. */
function byName(): Auth {
  return new Auth().authenticate(({ headers }: Request) => ({
    identity: headers.get("x-user") ?? "",
    permissions: [],
  }));
}

/** As LangChain's documentation has it: what is made is labelled, and found by its label. */
function labelling(): Auth {
  return byName().on("*", ({ value, user }) => {
    const label = { owner: user.identity };
    if ("metadata" in value && typeof value.metadata === "object") Object.assign(value.metadata ?? {}, label);
    return label;
  });
}

async function serve(auth: Auth): Promise<AppWithUsers> {
  return appWithUsers({ graphs, auth });
}

async function threadOf(app: AppWithUsers, id: string): Promise<unknown> {
  const [thread] = await app.database.query(
    "select owner, metadata from langgraph.threads where thread_id = $1",
    [id],
  );
  return thread;
}

test("a thread that is made for a run has what the handler has left in the run's metadata, and is found by it", async () => {
  await using app = await serve(labelling());
  const body = { ...run, if_not_exists: "create", metadata: { topic: "cats" } };
  const made = await app.ask("ada", "POST /threads/t/runs", { body });
  expect(made.body).toMatchObject({ metadata: { owner: "ada", topic: "cats" } });
  expect(await threadOf(app, "t")).toEqual({
    owner: "ada",
    metadata: expect.objectContaining({ owner: "ada", topic: "cats", graph_id: "shout" }),
  });
  const path = `/threads/t/runs/${textOf(made, "run_id")}`;
  expect((await app.ask("ada", `GET ${path}/join`)).body).toEqual({ text: "a!" });
  expect((await app.ask("ada", "GET /threads/t/runs")).body).toHaveLength(1);
  expect((await app.ask("ada", "POST /threads/t/runs/wait", { body })).status).toBe(200);
  for (const endpoint of [`GET ${path}`, `GET ${path}/join`, `POST ${path}/cancel`, `DELETE ${path}`])
    expect((await app.ask("bob", endpoint)).status).toBe(404);
  expect((await app.ask("bob", "GET /threads/t/runs")).body).toEqual([]);
});

test("a label that the client sends itself changes nothing", async () => {
  await using app = await serve(labelling());
  const body = { ...run, if_not_exists: "create", metadata: { owner: "bob", graph_id: "other" } };
  expect((await app.ask("ada", "POST /threads/t/runs/wait", { body })).status).toBe(200);
  expect(await threadOf(app, "t")).toMatchObject({ metadata: { owner: "ada", graph_id: "shout" } });
  expect((await app.ask("bob", "GET /threads/t")).status).toBe(404);
});

test.each([
  { if_not_exists: "create" },
  { if_not_exists: "create", metadata: { owner: "ada" } },
  { if_not_exists: "create", multitask_strategy: "rollback" },
  {},
])("if_not_exists does not lead past the filter of threads:create_run: %j", async (rest) => {
  await using app = await serve(labelling());
  const later = { ...run, if_not_exists: "create", after_seconds: 3_600 };
  const first = textOf(await app.ask("ada", "POST /threads/t/runs", { body: later }), "run_id");
  for (const door of ["", "/wait", "/stream"]) {
    const answer = await app.ask("bob", `POST /threads/t/runs${door}`, { body: { ...run, ...rest } });
    expect([answer.status, answer.body]).toEqual([
      404,
      { error: "not_found", detail: "Thread 't' not found" },
    ]);
  }
  expect(await threadOf(app, "t")).toMatchObject({ metadata: { owner: "ada" } });
  expect(await app.database.query("select run_id, status from langgraph.runs")).toEqual([
    { run_id: first, status: "pending" },
  ]);
});

test("the log of a stateless run is found by the label as well", async () => {
  await using app = await serve(labelling());
  const { headers } = await app.ask("ada", "POST /runs/stream", { body: run });
  const location = headers.get("location") ?? "";
  expect((await app.ask("ada", `GET ${location}`)).text).toContain("a!");
  expect((await app.ask("bob", `GET ${location}`)).status).toBe(404);
});

test("a handler is told what the run is asked with, and may change it", async () => {
  const seen: unknown[] = [];
  const auth = byName().on("threads:create_run", ({ value, user }) => {
    seen.push(structuredClone(value));
    value.metadata = { ...value.metadata, team: "blue" };
    Object.assign(value.kwargs, { config: { configurable: { model: `that of ${user.identity}` } } });
  });
  await using app = await serve(auth);
  const body = {
    assistant_id: "reporting",
    input: { text: "a" },
    metadata: { topic: "cats" },
    config: { configurable: { model: "expensive" } },
    multitask_strategy: "reject",
    if_not_exists: "create",
  };
  const headers = { "x-secret-of-the-request": "sesame" };
  const answer = await app.ask("ada", "POST /threads/t/runs/wait", { body, headers });
  expect(answer.body).toMatchObject({
    report: {
      configurable: { model: "that of ada", langgraph_auth_user_id: "ada" },
      metadata: { team: "blue", topic: "cats" },
    },
  });
  expect(seen).toEqual([
    expect.objectContaining({
      thread_id: "t",
      assistant_id: expect.stringMatching(/^[0-9a-f-]{36}$/),
      run_id: expect.stringMatching(/^[0-9a-f-]{36}$/),
      status: "pending",
      metadata: expect.objectContaining({ topic: "cats" }),
      multitask_strategy: "reject",
      prevent_insert_if_inflight: true,
      if_not_exists: "create",
      after_seconds: 0,
      kwargs: expect.objectContaining({ input: { text: "a" } }),
    }),
  ]);
  expect(JSON.stringify(seen)).not.toContain("sesame");
});

test("what no handler has changed is as it was registered, though JSON has no words for it", async () => {
  const graph = new StateGraph(Annotation.Root({ text: Annotation<string>, when: Annotation<unknown> }))
    .addNode("use", ({ text, when }, { configurable }: LangGraphRunnableConfig) => {
      const tool: unknown = configurable?.["tool"];
      return { text: `${typeof tool === "function" ? tool(text) : "lost"} ${String(when instanceof Date)}` };
    })
    .addEdge(START, "use")
    .compile();
  const config = { configurable: { tool: (text: string) => `used on ${text}` } };
  const inputSchema = z.object({ text: z.string(), when: z.string().transform((text) => new Date(text)) });
  const auth = byName().on("threads:create_run", ({ value }) => {
    value.metadata = { ...value.metadata, seen: JSON.stringify(value.kwargs) };
  });
  await using app = await appWithUsers({ graphs: [{ name: "using", graph, config, inputSchema }], auth });
  const body = { assistant_id: "using", input: { text: "a", when: "2026-01-31T00:00:00Z" } };
  expect((await app.ask("ada", "POST /runs/wait", { body })).body).toMatchObject({ text: "used on a true" });
});

test.each([
  ["threads:create_run", "POST /threads/t/runs", { ...run, if_not_exists: "create" }],
  ["threads:create_run", "POST /runs", run],
  ["threads:create_run", "POST /runs/wait", run],
  ["threads:create_run", "POST /runs/stream", run],
  ["threads:create_run", "POST /runs/batch", [run]],
  ["threads:create_run", "POST /graphs/shout/invoke", { input: { text: "a" } }],
  ["threads:create_run", "POST /graphs/shout/stream", { input: { text: "a" } }],
  ["threads:create_run", "POST /graphs/shout/runs", { input: { text: "a" } }],
  ["threads:search", "GET /threads/t/runs", undefined],
  ["threads:read", "GET /threads/t/runs/R", undefined],
  ["threads:read", "GET /threads/t/runs/R/join", undefined],
  ["threads:read", "GET /threads/t/runs/R/stream", undefined],
  ["threads:read", "GET /runs/R/stream", undefined],
  ["threads:read", "GET /graphs/shout/runs/R", undefined],
  ["threads:read", "GET /graphs/shout/threads/t/state", undefined],
  ["threads:update", "POST /threads/t/runs/R/cancel", undefined],
  ["threads:update", "POST /runs/cancel", { status: "all" }],
  ["threads:update", "POST /graphs/shout/runs/R/cancel", undefined],
  ["threads:update", "GET /threads/t/runs/R/join?cancel_on_disconnect=1", undefined],
  ["threads:update", "GET /threads/t/runs/R/stream?cancel_on_disconnect=1", undefined],
  ["threads:update", "GET /runs/R/stream?cancel_on_disconnect=1", undefined],
  ["threads:delete", "DELETE /threads/t/runs/R", undefined],
] as const)("who may not %s is refused by %s", async (event, endpoint, body) => {
  let isRefused = false;
  const auth = byName().on(event, () => !isRefused);
  await using app = await serve(auth);
  const first = { ...run, if_not_exists: "create", after_seconds: 3_600 };
  const id = textOf(await app.ask("ada", "POST /threads/t/runs", { body: first }), "run_id");
  isRefused = true;
  const count = "select count(*)::int as runs from langgraph.runs where status = 'pending'";
  const asked = body === undefined ? {} : { body };
  expect((await app.ask("ada", endpoint.replace("R", id), asked)).status).toBe(403);
  expect((await app.ask("ada", endpoint.replace("R", GONE), asked)).status).toBe(
    endpoint.includes("cancel_on_disconnect") ? 404 : 403,
  );
  expect(await app.database.query(count)).toEqual([{ runs: 1 }]);
});

test("each condition of a filter counts: a list that contains, and a value that is", async () => {
  const auth = byName()
    .on("threads:create_run", ({ value }) => {
      value.metadata = { members: ["ada", "bob"], level: "high" };
    })
    .on("threads:read", ({ user }) => ({ members: { $contains: user.identity }, level: { $eq: "high" } }));
  await using app = await serve(auth);
  const made = await app.ask("ada", "POST /threads/t/runs", { body: { ...run, if_not_exists: "create" } });
  const path = `GET /threads/t/runs/${textOf(made, "run_id")}/join`;
  expect((await app.ask("ada", path)).status).toBe(200);
  expect((await app.ask("bob", path)).status).toBe(200);
  expect((await app.ask("eve", path)).status).toBe(404);
  await app.database.query(`update langgraph.threads set metadata = metadata || '{"level":"higher"}'`);
  expect((await app.ask("ada", path)).status).toBe(404);
});
