/** What an Auth object's callbacks make of what they are asked about is what is done, by whichever door it is asked for. */

import { Annotation, START, StateGraph, type LangGraphRunnableConfig } from "@langchain/langgraph";
import { Auth } from "@langchain/langgraph-sdk/auth";
import { afterAll, beforeAll, expect, test } from "vitest";
import { appWithUsers, textOf, type AppWithUsers } from "../support/users.ts";

const Model = Annotation.Root({ model: Annotation<unknown> });
const graph = new StateGraph(Model)
  .addNode("tell", (_state, { configurable }: LangGraphRunnableConfig) => ({
    model: configurable?.["model"],
  }))
  .addEdge(START, "tell")
  .compile();

const CHEAP = { configurable: { model: "cheap" } };
const DEAR = { configurable: { model: "dear" } };

function authObject() {
  return new Auth()
    .authenticate(({ headers }) => headers.get("x-user") ?? "nobody")
    .on("assistants:create", ({ value }) => {
      Object.assign(value, { config: CHEAP, name: "Allowed", graph_id: "telling" });
    })
    .on("assistants:update", ({ value }) => {
      if ("version" in value && value.version !== undefined) value.version = 1;
      else Object.assign(value, { config: CHEAP });
    })
    .on("threads:create_run", ({ value }) => {
      Object.assign(value.kwargs ?? {}, { config: CHEAP });
    })
    .on("threads:create", ({ value, user }) => {
      value.metadata = { owner: user.identity };
    });
}

let app: AppWithUsers;
beforeAll(async () => {
  const graphs = [
    { name: "telling", graph },
    { name: "other", graph },
  ];
  app = await appWithUsers({ graphs, auth: authObject() });
});
afterAll(async () => app[Symbol.asyncDispose]());

test("an assistant is made, and changed, as its callbacks say", async () => {
  const made = await app.ask("ada", "POST /assistants", {
    body: { graph_id: "other", config: DEAR, name: "Mine" },
  });
  expect(made.body).toMatchObject({ graph_id: "telling", config: CHEAP, name: "Allowed" });
  const path = `/assistants/${textOf(made, "assistant_id")}`;
  const changed = await app.ask("ada", `PATCH ${path}`, { body: { config: DEAR, name: "Mine" } });
  expect(changed.body).toMatchObject({ version: 2, config: CHEAP, name: "Mine" });
  const activated = await app.ask("ada", `POST ${path}/latest`, { body: { version: 2 } });
  expect(activated.body).toMatchObject({ version: 1, name: "Allowed" });
});

test("the runs of a cron are asked with what the callback of runs leaves, as runs are", async () => {
  const run = { assistant_id: "telling", input: {}, config: DEAR };
  expect((await app.ask("ada", "POST /runs/wait", { body: run })).body).toEqual({ model: "cheap" });
  const body = { ...run, schedule: "0 0 1 1 *" };
  const cron = await app.ask("ada", "POST /runs/crons", { body });
  expect(cron.body).toMatchObject({ payload: { config: CHEAP } });
  const path = `/runs/crons/${textOf(cron, "cron_id")}`;
  const changed = await app.ask("ada", `PATCH ${path}`, { body: { config: DEAR } });
  expect(changed.body).toMatchObject({ payload: { config: CHEAP } });
});

test("a copy takes over no metadata that its callback has taken away", async () => {
  await app.ask("ada", "POST /threads", { body: { thread_id: "t" } });
  await app.ask("ada", "PATCH /threads/t", { body: { metadata: { shared: true } } });
  const copy = await app.ask("ada", "POST /threads/t/copy");
  expect(copy.body).toMatchObject({ metadata: { owner: "ada" } });
  expect(copy.text).not.toContain("shared");
});
