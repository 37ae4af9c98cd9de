/** Who reaches which crons, and on whose behalf they run. */

import { Annotation, type LangGraphRunnableConfig, START, StateGraph } from "@langchain/langgraph";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { z } from "zod";
import type { Grant, Policy, Scope } from "../../src/core/auth.ts";
import type { JsonObject } from "../../src/core/model.ts";
import { AppError } from "../../src/errors.ts";
import { type AppWithUsers, appWithUsers, type Ask, makeUser } from "../support/users.ts";

const Told = Annotation.Root({ text: Annotation<string>, told: Annotation<unknown> });
/** Tells for whom it runs, and leaves a note in the store. */
const telling = new StateGraph(Told)
  .addNode("tell", async ({ text }, { configurable, store }: LangGraphRunnableConfig) => {
    await store?.put(["notes"], text, { text });
    const { langgraph_auth_user: user, langgraph_auth_user_id: id } = configurable ?? {};
    return { told: [user, id] };
  })
  .addEdge(START, "tell")
  .compile();
const graphs = [{ name: "telling", graph: telling }];

const YEARLY = "0 0 1 1 *";
const wanted = { assistant_id: "telling", schedule: YEARLY, input: { text: "note" } };

let app: AppWithUsers;
beforeAll(async () => void (app = await appWithUsers({ graphs })));
afterAll(async () => app[Symbol.asyncDispose]());
beforeEach(
  async () => void (await app.database.query("truncate langgraph.crons, langgraph.threads cascade")),
);

const Made = z.object({ cron_id: z.uuid() });
const made = async (ask: Ask, fields: object = {}, path = "/runs/crons") =>
  Made.parse((await ask("POST", path, { ...wanted, ...fields })).body).cron_id;

test("a cron shows whom it belongs to, and nothing of what it may do", async () => {
  const cron_id = await made(app.as("ada").ask);
  const { body } = await app.as("ada").ask("GET", `/runs/crons/${cron_id}`);
  expect(body).toMatchObject({ cron_id, user_id: "ada", enabled: true });
  expect(body).not.toHaveProperty("principal");
  expect(body).not.toHaveProperty("scope");
  for (const field of ["principal", "scope", "scopes"])
    expect((await app.as("ada").ask("POST", "/runs/crons/search", { select: [field] })).status).toBe(422);
  const own = await made(app.system.ask);
  expect((await app.system.ask("GET", `/runs/crons/${own}`)).body).toMatchObject({ user_id: null });
});

test.each([
  { method: "GET" },
  { method: "PATCH", body: { enabled: false } },
  { method: "PATCH", body: { input: { text: "stolen" } } },
  { method: "DELETE" },
])("to $method another's cron is to ask for one that there is not", async ({ method, body }) => {
  const cron_id = await made(app.as("ada").ask);
  const none = "11111111-1111-4111-8111-111111111111";
  const before = await app.database.query("select * from langgraph.crons");
  for (const ask of [app.as("bob").ask, app.as("eve").ask]) {
    const answer = await ask(method, `/runs/crons/${cron_id}`, body);
    const absent = await ask(method, `/runs/crons/${none}`, body);
    expect([answer.status, answer.text.replaceAll(cron_id, "ID")]).toEqual([
      404,
      absent.text.replaceAll(none, "ID"),
    ]);
  }
  expect(await app.database.query("select * from langgraph.crons")).toEqual(before);
  expect((await app.as("ada").ask(method, `/runs/crons/${cron_id}`, body)).status).toBeLessThan(300);
});

test("what is searched and counted is one's own", async () => {
  const [ada, bob] = [app.as("ada").ask, app.as("bob").ask];
  const [a1, a2, b1] = [
    await made(ada),
    await made(ada, { metadata: { team: "x" } }),
    await made(bob, { metadata: { team: "x" } }),
  ];
  const ids = async (ask: Ask, body: object = {}) => {
    const found = await ask("POST", "/runs/crons/search", { select: ["cron_id"], ...body });
    const count = await ask("POST", "/runs/crons/count", body);
    const shown = z.array(Made).parse(found.body);
    return [found.headers.get("x-pagination-total"), count.body, shown.map(({ cron_id }) => cron_id)];
  };
  expect(await ids(ada)).toEqual(["2", 2, [a2, a1]]);
  expect(await ids(bob)).toEqual(["1", 1, [b1]]);
  expect(await ids(bob, { metadata: { team: "x" } })).toEqual(["1", 1, [b1]]);
  expect(await ids(app.as("eve").ask)).toEqual(["0", 0, []]);
  expect(await ids(app.system.ask)).toEqual(["3", 3, [b1, a2, a1]]);
});

test("a cron can only be on a thread that its maker may run on", async () => {
  const [ada, bob] = [app.as("ada").ask, app.as("bob").ask];
  await ada("POST", "/threads", { thread_id: "of-ada" });
  const refused = await bob("POST", "/threads/of-ada/runs/crons", wanted);
  const absent = await bob("POST", "/threads/none/runs/crons", wanted);
  expect([refused.status, refused.text]).toEqual([404, absent.text.replace("none", "of-ada")]);
  expect((await ada("POST", "/threads/of-ada/runs/crons", wanted)).status).toBe(200);
  expect(await app.database.query("select user_id from langgraph.crons")).toEqual([{ user_id: "ada" }]);
});

const due = async (from: AppWithUsers) =>
  from.database.query("update langgraph.crons set next_run_date = now() - interval '1 minute'");
/** The newest state of each thread, when all its runs are over. */
async function results(from: AppWithUsers): Promise<Record<string, unknown>[]> {
  await expect
    .poll(
      async () =>
        from.database.query("select run_id from langgraph.runs where status in ('pending', 'running')"),
      { timeout: 20_000 },
    )
    .toEqual([]);
  return from.database.query(
    "select thread_id, owner, metadata, values -> 'told' as told from langgraph.threads order by created_at",
  );
}

test("a cron's runs are its maker's, on whichever instance they are made", async () => {
  await using other = await appWithUsers({ graphs, database: app.database });
  await made(app.as("ada").ask, { on_run_completed: "keep" });
  await made(app.system.ask, { on_run_completed: "keep", input: { text: "shared" } });
  await due(app);
  const fired = await Promise.all([app.tick(), other.tick()]);
  expect(fired.reduce((sum, report) => sum + report.fired, 0)).toBe(2);
  const ended = await results(app);
  const ada = makeUser("ada");
  expect(ended).toHaveLength(2);
  expect(ended).toEqual(
    expect.arrayContaining([
      expect.objectContaining({ owner: "ada", told: [ada, "ada"] }),
      expect.objectContaining({ owner: null, told: [null, null] }),
    ]),
  );
  // The graph has written into the store of whom it ran for.
  const notes = async (ask: Ask) => (await ask("GET", "/store/items?namespace=notes&key=note")).body;
  expect(await notes(app.as("ada").ask)).toMatchObject({ value: { text: "note" } });
  expect(await notes(app.as("bob").ask)).toBeNull();
  expect(await notes(app.system.ask)).toBeNull();
  const { body } = await app.as("ada").ask("POST", "/threads/search", {});
  expect(z.array(z.unknown()).parse(body)).toHaveLength(1);
  expect((await app.as("bob").ask("POST", "/threads/search", {})).body).toEqual([]);
});

test("a cron does not reach the thread that somebody else has made in the place of its own", async () => {
  await app.as("ada").ask("POST", "/threads", { thread_id: "t" });
  await made(app.as("ada").ask, {}, "/threads/t/runs/crons");
  // As when the thread is deleted and made anew while the cron is being stored.
  await app.database.query("update langgraph.threads set owner = 'bob' where thread_id = 't'");
  await due(app);
  expect((await app.tick()).fired).toBe(0);
  expect(await app.database.query("select run_id from langgraph.runs")).toEqual([]);
  expect(await app.database.query("select next_run_date > now() as is_later from langgraph.crons")).toEqual([
    { is_later: true },
  ]);
});

test("a cron does not run the assistant that somebody else has made in the place of its own", async () => {
  const { body } = await app.as("ada").ask("POST", "/assistants", { graph_id: "telling" });
  const { assistant_id } = z.object({ assistant_id: z.string() }).parse(body);
  await made(app.as("ada").ask, { assistant_id });
  await app.database.query("update langgraph.assistants set owner = 'bob' where assistant_id = $1", [
    assistant_id,
  ]);
  await due(app);
  expect((await app.tick()).fired).toBe(0);
  expect(await app.database.query("select run_id from langgraph.runs")).toEqual([]);
});

test("who changes a cron does not become the one whom it runs for", async () => {
  const cron_id = await made(app.as("ada").ask, { on_run_completed: "keep" });
  expect(
    (await app.system.ask("PATCH", `/runs/crons/${cron_id}`, { input: { text: "changed" } })).status,
  ).toBe(200);
  await due(app);
  expect((await app.tick()).fired).toBe(1);
  expect(await results(app)).toMatchObject([{ owner: "ada", told: [{ identity: "ada" }, "ada"] }]);
});

type Decide = (event: string, value: JsonObject, identity: string) => [JsonObject, Scope] | null;

function policyOf(decide: Decide): Policy {
  return {
    decidesStore: false,
    decide: async <Value extends JsonObject>(
      { identity }: { identity: string },
      event: string,
      value: Value,
    ): Promise<Grant<Value> | null> => {
      const decided = decide(event, value, identity);
      return decided === null ? null : { value: { ...value, ...decided[0] }, scope: decided[1] };
    },
  };
}

test("a handler is asked with what the official one is, and its filter and what it writes are a part of what is done", async () => {
  const asked: [string, JsonObject][] = [];
  const policy = policyOf((event, value, identity) => {
    if (event.startsWith("assistants:") || event.startsWith("store:")) return null;
    asked.push([event, value]);
    const metadata = {
      ...z.record(z.string(), z.unknown()).catch({}).parse(value["metadata"]),
      owner: identity,
    };
    const changes = /create|update/.test(event) ? { metadata } : {};
    return [changes, { metadata: [{ field: "owner", is: identity }] }];
  });
  await using own = await appWithUsers({ graphs, policy });
  const [ada, bob] = [own.as("ada").ask, own.as("bob").ask];
  const cron_id = await made(ada, { metadata: { owner: "bob", n: 1 }, on_run_completed: "keep" });
  expect(asked.map(([event]) => event)).toEqual(["threads:create_run", "crons:create"]);
  expect(asked.at(-1)?.[1]).toMatchObject({
    cron_id,
    thread_id: null,
    schedule: YEARLY,
    payload: { input: { text: "note" } },
    user_id: "ada",
    end_time: null,
  });
  for (const [method, body] of [["GET"], ["PATCH", { enabled: false }], ["DELETE"]] as const)
    expect([method, (await bob(method, `/runs/crons/${cron_id}`, body)).status]).toEqual([method, 404]);
  expect((await bob("POST", "/runs/crons/count", {})).body).toBe(0);
  expect((await ada("POST", "/runs/crons/search", { select: ["metadata"] })).body).toEqual([
    { metadata: { owner: "ada", n: 1 } },
  ]);
  asked.length = 0;
  const changed = await ada("PATCH", `/runs/crons/${cron_id}`, { metadata: { owner: "bob", n: 2 } });
  expect(changed.body).toMatchObject({ metadata: { owner: "ada", n: 2 } });
  expect(asked).toMatchObject([
    ["crons:update", { cron_id, metadata: { owner: "bob", n: 2 } }],
    ["threads:create_run", { metadata: { owner: "ada", n: 2 } }],
  ]);
  await due(own);
  asked.length = 0;
  expect((await own.tick()).fired).toBe(1);
  expect(asked).toEqual([]); // what was allowed is not asked about again
  expect(await results(own)).toMatchObject([
    { metadata: { owner: "ada", n: 2 }, told: [{ identity: "ada" }, "ada"] },
  ]);
  expect((await ada("DELETE", `/runs/crons/${cron_id}`)).status).toBe(204);
});

test("a cron fires within the filters of the day when it was made, each on what it was about", async () => {
  const policy = policyOf((event, _, identity) => {
    if (event === "threads:create_run") return [{}, { metadata: [{ field: "room", is: "blue" }] }];
    return event.startsWith("assistants:")
      ? [{}, { metadata: [{ field: "for", contains: [identity] }] }]
      : null;
  });
  await using own = await appWithUsers({ graphs, policy });
  const ada = own.as("ada").ask;
  const assistant = { graph_id: "telling", metadata: { for: ["ada", "eve"] } };
  const { assistant_id } = z
    .object({ assistant_id: z.string() })
    .parse((await ada("POST", "/assistants", assistant)).body);
  await ada("POST", "/threads", { thread_id: "t", metadata: { room: "blue" } });
  await ada("POST", "/threads", { thread_id: "u", metadata: { room: "red" } });
  expect((await ada("POST", "/threads/u/runs/crons", { ...wanted, assistant_id })).status).toBe(404);
  await made(ada, { assistant_id }, "/threads/t/runs/crons");
  await due(own);
  expect((await own.tick()).fired).toBe(1);
  expect(await results(own)).toMatchObject([
    { thread_id: "t", told: [{ identity: "ada" }, "ada"] },
    { told: null },
  ]);
  await own.database.query(
    `update langgraph.threads set metadata = metadata || '{"room":"red"}' where thread_id = 't'`,
  );
  await due(own);
  expect((await own.tick()).fired).toBe(0);
});

test.each(["crons:create", "threads:create_run"])(
  "where %s is forbidden, no cron is made",
  async (forbidden) => {
    const policy: Policy = {
      decidesStore: false,
      decide: async (_, event) => {
        if (event === forbidden) throw new AppError("forbidden", `No ${event}`);
        return null;
      },
    };
    await using own = await appWithUsers({ graphs, policy });
    const answer = await own.as("ada").ask("POST", "/runs/crons", wanted);
    expect([answer.status, answer.text]).toEqual([403, expect.stringContaining(forbidden)]);
    expect(await own.database.query("select cron_id from langgraph.crons")).toEqual([]);
  },
);
