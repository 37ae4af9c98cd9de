import { expect, test } from "vitest";
import { shout } from "../support/graphs.ts";
import { appWithUsers, type Person } from "../support/users.ts";
import { adasThread, answers, operations } from "../support/thread-operations.ts";

const graphs = [{ name: "shout", graph: shout }];
const input = { text: "a" };
const run = { assistant_id: "shout", input };

test("another user's thread is answered as one that there is not, and stays as it is", async () => {
  await using app = await appWithUsers({ graphs });
  const all = operations(await adasThread(app, "adas"));
  const before = await app.as("ada").ask("GET", "/threads/adas");
  const history = await app.as("ada").ask("GET", "/threads/adas/history");
  const found = await answers(app.as("bob"), all, "adas");
  expect(found).toEqual(await answers(app.as("bob"), all, "none"));
  expect(found.map((one) => [one].flat()[2])).toEqual(all.map(() => 404));
  expect((await app.as("ada").ask("GET", "/threads/adas")).body).toEqual(before.body);
  expect((await app.as("ada").ask("GET", "/threads/adas/history")).body).toEqual(history.body);
  const own = await answers(app.as("ada"), all, "adas");
  expect(own.map((one) => [one].flat()[2])).toEqual(all.map(([method]) => (method === "DELETE" ? 204 : 200)));
});

test("those who have not signed in, where others do, reach no thread", async () => {
  await using app = await appWithUsers({ graphs, policy: {} });
  const all = operations(await adasThread(app, "adas"));
  const found = await answers(app.as(undefined), all, "adas");
  expect(found.map((one) => [one].flat()[2])).toEqual(all.map(() => 401));
});

test("where nobody signs in, everything is everybody's, and what users have made is, too", async () => {
  await using app = await appWithUsers({ graphs });
  const all = operations(await adasThread(app, "adas"));
  const found = await answers(app.system, all, "adas");
  expect(found.map((one) => [one].flat()[2])).toEqual(
    all.map(([method]) => (method === "DELETE" ? 204 : 200)),
  );
});

test("an id that somebody else has cannot be had, nor their thread", async () => {
  await using app = await appWithUsers({ graphs });
  await adasThread(app, "adas");
  await app.system.ask("POST", "/threads", { thread_id: "nobodys", metadata: { graph_id: "shout" } });
  const supersteps = [{ updates: [{ values: { text: "bobs" }, as_node: "shout" }] }];
  for (const thread_id of ["adas", "nobodys"])
    for (const more of [{}, { if_exists: "do_nothing" }, { if_exists: "do_nothing", supersteps }]) {
      const metadata = { graph_id: "shout" };
      const { status, body } = await app.as("bob").ask("POST", "/threads", { thread_id, metadata, ...more });
      expect([status, body]).toEqual([
        409,
        { error: "thread_exists", detail: `Thread '${thread_id}' exists already` },
      ]);
    }
  const again = { thread_id: "adas", if_exists: "do_nothing", metadata: { topic: "new" } };
  expect(await app.as("ada").ask("POST", "/threads", again)).toMatchObject({
    status: 200,
    body: { thread_id: "adas", metadata: { topic: "adas" }, values: { text: "a!" } },
  });
});

test("of two users who want the same id at once, one gets it", async () => {
  await using app = await appWithUsers({ graphs });
  const people = ["ada", "bob"].map((identity) => app.as(identity));
  for (let round = 0; round < 10; round += 1) {
    const asked = { thread_id: `t${round}`, if_exists: "do_nothing" };
    const made = await Promise.all(people.map(async (person) => person.ask("POST", "/threads", asked)));
    expect(new Set(made.map(({ status }) => status))).toEqual(new Set([200, 409]));
    const seen = await Promise.all(people.map(async (person) => person.ask("GET", `/threads/t${round}`)));
    expect(seen.map(({ status }) => status)).toEqual(made.map(({ status }) => (status === 200 ? 200 : 404)));
  }
});

test("who deletes a thread again and again takes nothing from who makes it anew meanwhile", async () => {
  await using app = await appWithUsers({ graphs });
  const [ada, bob] = [app.as("ada"), app.as("bob")];
  const supersteps = [{ updates: [{ values: input, as_node: "shout" }] }];
  for (let round = 0; round < 5; round += 1) {
    const thread = { thread_id: `t${round}`, metadata: { graph_id: "shout" }, supersteps };
    await ada.ask("POST", "/threads", thread);
    const make = async (): Promise<void> => {
      while ((await bob.ask("POST", "/threads", thread)).status !== 200) continue;
    };
    const deletions = [1, 2, 3].map(async () => ada.ask("DELETE", `/threads/t${round}`));
    await Promise.all([make(), ...deletions]);
    await ada.ask("POST", "/threads/prune", { thread_ids: [thread.thread_id] });
    expect((await bob.ask("GET", `/threads/t${round}/state`)).body).toMatchObject({ values: { text: "a" } });
    expect((await bob.ask("GET", `/threads/t${round}/history`)).body).toHaveLength(1);
  }
});

test.each(["/threads/t/state", "/threads/t/history", "/graphs/shout/threads/t/state"])(
  "who reads a thread while it is deleted and made anew by others reads nothing of theirs: %s",
  async (path) => {
    let enter = (): void => undefined;
    let open = (): void => undefined;
    let opened: Promise<void> | undefined;
    const slow = async (_config: object): Promise<typeof shout> => {
      enter();
      await opened;
      return shout;
    };
    await using app = await appWithUsers({ graphs: [{ name: "shout", graph: slow }] });
    await adasThread(app, "t");
    const entered = new Promise<void>((resolve) => (enter = resolve));
    opened = new Promise<void>((resolve) => (open = resolve));
    const reading = app.as("ada").ask("GET", path);
    await entered;
    opened = undefined;
    expect((await app.as("ada").ask("DELETE", "/threads/t")).status).toBe(204);
    const made = { ...run, input: { text: "bobs" }, if_not_exists: "create" };
    expect((await app.as("bob").ask("POST", "/threads/t/runs/wait", made)).body).toEqual({ text: "bobs!" });
    open();
    expect((await reading).text).not.toContain("bobs");
    expect((await reading).status).toBe(404);
  },
);

test("a search and a count find one's own, and their pages tell of no others", async () => {
  await using app = await appWithUsers({ graphs });
  for (const [name, person, count] of [
    ["ada", app.as("ada"), 5],
    ["bob", app.as("bob"), 2],
    ["nobody", app.system, 1],
  ] as const)
    for (let index = 0; index < count; index += 1)
      await person.ask("POST", "/threads", { thread_id: `${name}-${index}`, metadata: { index } });
  const ids = ["ada-0", "bob-0", "nobody-0"];
  const asks = [{}, { ids }, { metadata: { index: 0 } }, { status: "idle" }, { metadata: { index: 3 } }];
  const counted = async (person: Person, filter: object): Promise<unknown> => {
    const { headers, body } = await person.ask("POST", "/threads/search", { ...filter, limit: 2 });
    const { body: count } = await person.ask("POST", "/threads/count", { ...filter, ids: undefined });
    const length = Array.isArray(body) ? body.length : undefined;
    return [length, headers.get("x-pagination-total"), headers.get("x-pagination-next"), count];
  };
  const found = async (person: Person) => Promise.all(asks.map(async (filter) => counted(person, filter)));
  expect(await found(app.as("ada"))).toEqual([
    [2, "5", "2", 5],
    [1, "1", null, 5],
    [1, "1", null, 1],
    [2, "5", "2", 5],
    [1, "1", null, 1],
  ]);
  expect(await found(app.as("bob"))).toEqual([
    [2, "2", null, 2],
    [1, "1", null, 2],
    [1, "1", null, 1],
    [2, "2", null, 2],
    [0, "0", null, 0],
  ]);
  expect((await found(app.as("eve"))).flat()).toEqual(asks.flatMap(() => [0, "0", null, 0]));
  expect((await found(app.system))[0]).toEqual([2, "8", "2", 8]);
});

test("of many threads that are pruned, the caller's own are", async () => {
  await using app = await appWithUsers({ graphs });
  await adasThread(app, "adas");
  await app.as("bob").ask("POST", "/threads", { thread_id: "bobs" });
  const ids = { thread_ids: ["adas", "bobs", "none"] };
  const prune = async (identity: string, strategy: string) =>
    (await app.as(identity).ask("POST", "/threads/prune", { ...ids, strategy })).body;
  const history = await app.as("ada").ask("GET", "/threads/adas/history");
  expect(await prune("eve", "delete")).toEqual({ pruned_count: 0 });
  expect(await prune("eve", "keep_latest")).toEqual({ pruned_count: 0 });
  expect(await prune("bob", "keep_latest")).toEqual({ pruned_count: 1 });
  expect(await prune("bob", "delete")).toEqual({ pruned_count: 1 });
  expect((await app.as("ada").ask("GET", "/threads/adas/history")).body).toEqual(history.body);
  expect((await app.as("bob").ask("GET", "/threads/bobs")).status).toBe(404);
  expect(await prune("ada", "keep_latest")).toEqual({ pruned_count: 1 });
  expect((await app.as("ada").ask("GET", "/threads/adas/history")).body).toHaveLength(1);
});

test("with an assistant, those of its threads are deleted that the caller may delete", async () => {
  await using app = await appWithUsers({ graphs });
  const { body } = await app.as("ada").ask("POST", "/assistants", { graph_id: "shout" });
  const assistant_id: unknown = Reflect.get(Object(body), "assistant_id");
  for (const [name, person] of [
    ["ada", app.as("ada")],
    ["bob", app.as("bob")],
    ["nobody", app.system],
  ] as const)
    await person.ask("POST", "/threads", { thread_id: `${name}s`, metadata: { assistant_id } });
  const path = `/assistants/${String(assistant_id)}?delete_threads=true`;
  expect((await app.as("ada").ask("DELETE", path)).status).toBe(200);
  const left = await app.system.ask("POST", "/threads/search", {
    sort_by: "thread_id",
    select: ["thread_id"],
  });
  expect(left.body).toEqual([{ thread_id: "nobodys" }, { thread_id: "bobs" }]);
});

test("whom a thread belongs to does not show, and cannot be changed", async () => {
  await using app = await appWithUsers({ graphs });
  await adasThread(app, "adas");
  const given = { owner: "bob", user_id: "bob", langgraph_auth_user_id: "bob" };
  for (const path of ["", "/state", "/state?subgraphs=true", "/history", "/runs"]) {
    const { status, text } = await app.as("ada").ask("GET", `/threads/adas${path}`);
    expect([path, status, text]).toEqual([path, 200, expect.not.stringContaining('"ada"')]);
  }
  const native = await app.as("ada").ask("GET", "/graphs/shout/threads/adas/state");
  expect([native.status, native.text]).toEqual([200, expect.not.stringContaining('"ada"')]);
  expect((await app.as("ada").ask("PATCH", "/threads/adas", { metadata: given })).status).toBe(200);
  expect((await app.as("ada").ask("PATCH", "/threads/adas", { owner: "bob" })).status).toBe(422);
  expect((await app.as("bob").ask("GET", "/threads/adas")).status).toBe(404);
  expect((await app.as("ada").ask("GET", "/threads/adas")).status).toBe(200);
  const planted = { thread_id: "bobs", metadata: { owner: "ada" } };
  await app.as("bob").ask("POST", "/threads", planted);
  expect((await app.as("ada").ask("GET", "/threads/bobs")).status).toBe(404);
});

test("a copy is its maker's", async () => {
  await using app = await appWithUsers({ graphs });
  await adasThread(app, "adas");
  const { body } = await app.as("ada").ask("POST", "/threads/adas/copy");
  const path = `/threads/${String(Reflect.get(Object(body), "thread_id"))}`;
  expect(body).toMatchObject({ metadata: { topic: "adas" }, values: { text: "a!" } });
  expect((await app.as("ada").ask("GET", `${path}/state`)).body).toMatchObject({ values: { text: "a!" } });
  expect((await app.as("bob").ask("GET", path)).status).toBe(404);
});

test("a key of a request is the caller's own", async () => {
  await using app = await appWithUsers({ graphs });
  const create = async (identity?: string) =>
    (await app.as(identity).ask("POST", "/threads", { metadata: {} }, { "idempotency-key": "1" })).body;
  const made = [await create("ada"), await create("bob"), await create()];
  expect(new Set(made.map((one) => Reflect.get(Object(one), "thread_id"))).size).toBe(3);
  expect([await create("ada"), await create("bob"), await create()]).toEqual(made);
});

test("checkpoints without a thread are for those who reach everything", async () => {
  await using app = await appWithUsers({ graphs });
  const config = { configurable: { thread_id: "old" } };
  await app.system.ask("POST", "/graphs/shout/invoke", { input, config });
  await app.database.query("delete from langgraph.threads");
  await app.database.query("delete from langgraph.events");
  const state = "/graphs/shout/threads/old/state";
  expect((await app.as("ada").ask("GET", state)).status).toBe(404);
  expect((await app.as("ada").ask("POST", "/threads", { thread_id: "old" })).status).toBe(409);
  const supersteps = [{ updates: [{ values: input, as_node: "shout" }] }];
  const made = { thread_id: "old", metadata: { graph_id: "shout" }, if_exists: "do_nothing", supersteps };
  expect((await app.as("ada").ask("POST", "/threads", made)).status).toBe(409);
  const invoked = await app.as("ada").ask("POST", "/graphs/shout/invoke", { input, config });
  expect(invoked.status).toBe(404);
  const created = await app.as("ada").ask("POST", "/threads/old/runs", { ...run, if_not_exists: "create" });
  expect(created.status).toBe(404);
  expect(await app.system.ask("GET", state)).toMatchObject({ status: 200, body: { values: { text: "a!" } } });
  expect((await app.system.ask("POST", "/threads", { thread_id: "old" })).status).toBe(200);
});

test("what a run without a thread has streamed is nobody's under its name", async () => {
  await using app = await appWithUsers({ graphs });
  const { headers } = await app.as("ada").ask("POST", "/runs/wait", run);
  const run_id = headers.get("content-location")?.split("/").at(-1) ?? "";
  const [{ events } = {}] = await app.database.query(
    "select count(*)::int as events from langgraph.events where thread_id = $1",
    [run_id],
  );
  expect(events).toBeGreaterThan(0);
  const bob = app.as("bob");
  const path = `/threads/${run_id}`;
  const here = { input, config: { configurable: { thread_id: run_id } } };
  expect((await bob.ask("POST", "/threads", { thread_id: run_id })).status).toBe(409);
  expect((await bob.ask("POST", `${path}/runs`, { ...run, if_not_exists: "create" })).status).toBe(404);
  expect((await bob.ask("POST", "/graphs/shout/invoke", here)).status).toBe(404);
  expect((await bob.ask("GET", `${path}/stream`)).status).toBe(404);
});
