/** The official SDK's `client.assistants`, method by method, over real HTTP. */

import { randomUUID } from "node:crypto";
import { expect, test } from "vitest";
import { counter, shout } from "../support/graphs.ts";
import { clientOf } from "../support/sdk.ts";
import { startServer } from "../support/server.ts";

const config = { configurable: { tone: "loud" }, recursionLimit: 7 };
const graphs = [
  { name: "agent", graph: shout, description: "Shouts", config },
  { name: "counter", graph: counter },
];
/** As the official server derives it. */
const AGENT = "fe096781-5601-53d2-b2f6-0d3403f7e9ca";
const time = expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/);

test("every graph has a default assistant, by its official id and by the graph's name, whatever instance is asked", async () => {
  await using server = await startServer({ graphs });
  await using other = await startServer({ graphs, local: { databaseUrl: server.database.url } });
  const assistant = await clientOf(server).assistants.get(AGENT);
  expect(assistant).toEqual({
    assistant_id: AGENT,
    graph_id: "agent",
    version: 1,
    name: "agent",
    description: "Shouts",
    config: { configurable: { tone: "loud" }, recursion_limit: 7 },
    context: {},
    metadata: { created_by: "system" },
    created_at: time,
    updated_at: assistant.created_at,
  });
  expect(await clientOf(other).assistants.get("agent")).toEqual(assistant);
  expect(await clientOf(other).assistants.get(AGENT.toUpperCase())).toEqual(assistant);
});

test("default assistants are as their graph is registered now, and gone when it is not", async () => {
  await using server = await startServer({ graphs });
  expect(await clientOf(server).assistants.count()).toBe(2);
  await clientOf(server).assistants.update("counter", { metadata: { team: "a" } });
  const agent = { name: "agent", graph: shout, config: { tags: ["new"] } };
  await using next = await startServer({ graphs: [agent], local: { databaseUrl: server.database.url } });
  const { assistants } = clientOf(next);
  expect(await assistants.get("agent")).toMatchObject({ config: { tags: ["new"] }, description: null });
  expect((await assistants.search()).map(({ name }) => name)).toEqual(["agent"]);
  await expect(assistants.get("counter")).rejects.toThrow("404");
  expect(await clientOf(server).assistants.get("counter")).toMatchObject({ version: 2 });
});

test("an assistant is created as told, and with defaults", async () => {
  await using server = await startServer({ graphs });
  const { assistants } = clientOf(server);
  const assistantId = randomUUID();
  const created = await assistants.create({
    assistantId,
    graphId: "agent",
    name: "Mine",
    description: "My own",
    config: { tags: ["a"], recursion_limit: 3, configurable: { tone: "soft" } },
    context: { user: "ada" },
    metadata: { team: "a" },
  });
  expect(created).toEqual({
    assistant_id: assistantId,
    graph_id: "agent",
    version: 1,
    name: "Mine",
    description: "My own",
    config: { tags: ["a"], recursion_limit: 3, configurable: { tone: "soft" } },
    context: { user: "ada" },
    metadata: { team: "a" },
    created_at: time,
    updated_at: created.created_at,
  });
  expect(await assistants.get(assistantId)).toEqual(created);
  expect(await assistants.create({ graphId: "counter" })).toMatchObject({
    assistant_id: expect.stringMatching(/^[\da-f-]{36}$/),
    name: "Untitled",
    description: null,
    config: {},
    context: {},
    metadata: {},
  });
});

test("an assistant that exists is refused, or given as it is; a default one always exists", async () => {
  await using server = await startServer({ graphs });
  const { assistants } = clientOf(server);
  const first = await assistants.create({ graphId: "agent", name: "First" });
  const again = { graphId: "counter", assistantId: first.assistant_id };
  await expect(assistants.create(again)).rejects.toThrow("409");
  expect(await assistants.create({ ...again, ifExists: "do_nothing" })).toEqual(first);
  await expect(assistants.create({ graphId: "agent", assistantId: AGENT })).rejects.toThrow("409");
});

test("what cannot be created or changed is refused, and the field named", async () => {
  await using server = await startServer({ graphs });
  const refusal = async (body: object) => {
    const { status, body: answer } = await server.post("/assistants", { graph_id: "agent", ...body });
    return [status, Object(answer).detail as unknown];
  };
  expect(await refusal({ graph_id: "other" })).toEqual([404, "Graph 'other' not found"]);
  expect(await refusal({ colour: 1 })).toEqual([422, expect.stringContaining("colour")]);
  expect(await refusal({ assistant_id: "a" })).toEqual([422, expect.stringMatching(/^assistant_id: /)]);
  expect(await refusal({ config: { colour: 1 } })).toEqual([422, expect.stringContaining("colour")]);
  expect(await refusal({ config: { configurable: { thread_id: "t" } } })).toEqual([
    422,
    expect.stringMatching(/^config.configurable: an assistant cannot have thread_id/),
  ]);
  const { assistants } = clientOf(server);
  await expect(assistants.update("agent", { graphId: "other" })).rejects.toThrow("404");
  await expect(assistants.update(randomUUID(), {})).rejects.toThrow("404");
  await expect(assistants.get("neither a graph nor an id")).rejects.toThrow("404");
  await expect(assistants.delete(randomUUID())).rejects.toThrow("404");
});

test("an update lays metadata over what is there, leaves what it does not name, and makes a version", async () => {
  await using server = await startServer({ graphs });
  const { assistants } = clientOf(server);
  const { assistant_id, created_at } = await assistants.create({
    graphId: "agent",
    name: "Mine",
    config: { tags: ["a"] },
    metadata: { a: { x: 1 }, b: 1 },
  });
  const updated = await assistants.update(assistant_id, {
    graphId: "counter",
    metadata: { a: { y: 2 } },
    context: { user: "ada" },
    description: "Better",
  });
  expect(updated).toMatchObject({
    version: 2,
    graph_id: "counter",
    name: "Mine",
    description: "Better",
    config: { tags: ["a"] },
    context: { user: "ada" },
    metadata: { a: { y: 2 }, b: 1 },
    created_at,
  });
  expect(Date.parse(updated.updated_at)).toBeGreaterThanOrEqual(Date.parse(created_at));
  expect(await assistants.update(assistant_id, {})).toMatchObject({ version: 3, graph_id: "counter" });
});

test("versions are listed, the newest first, by page and by metadata", async () => {
  await using server = await startServer({ graphs });
  const { assistants } = clientOf(server);
  for (const name of ["Two", "Three"]) await assistants.update("agent", { name, metadata: { [name]: true } });
  const versions = await assistants.getVersions("agent");
  expect(versions.map(({ version, name }) => [version, name])).toEqual([
    [3, "Three"],
    [2, "Two"],
    [1, "agent"],
  ]);
  expect(versions[2]).toEqual({
    assistant_id: AGENT,
    graph_id: "agent",
    version: 1,
    name: "agent",
    description: "Shouts",
    config: { configurable: { tone: "loud" }, recursion_limit: 7 },
    context: {},
    metadata: { created_by: "system" },
    created_at: time,
  });
  const found = async (query: Parameters<typeof assistants.getVersions>[1]) =>
    (await assistants.getVersions("agent", query)).map(({ version }) => version);
  expect(await found({ limit: 1, offset: 1 })).toEqual([2]);
  expect(await found({ metadata: { Two: true } })).toEqual([3, 2]);
  expect(await found({ metadata: { Four: true } })).toEqual([]);
  await expect(assistants.getVersions(randomUUID())).rejects.toThrow("404");
});

test("an earlier version can be put in force, whole, and its number is not used again", async () => {
  await using server = await startServer({ graphs });
  const { assistants } = clientOf(server);
  const first = await assistants.create({ graphId: "agent", name: "One", context: { a: 1 } });
  const { assistant_id } = first;
  await assistants.update(assistant_id, { graphId: "counter", name: "Two", context: {}, metadata: { b: 1 } });
  const { updated_at: _, ...content } = first;
  expect(await assistants.setLatest(assistant_id, 1)).toMatchObject(content);
  expect(await assistants.get(assistant_id)).toMatchObject(content);
  expect(await assistants.update(assistant_id, {})).toMatchObject({ version: 3, name: "One" });
  await expect(assistants.setLatest(assistant_id, 9)).rejects.toThrow("404");
  await expect(assistants.setLatest(randomUUID(), 1)).rejects.toThrow("404");

  const path = `/assistants/${assistant_id}/latest?version=2`;
  expect((await server.get(path, { method: "POST" })).body).toMatchObject({ version: 2, name: "Two" });
  expect(await server.post(path, { version: 2 })).toMatchObject({ status: 200 });
  expect(await server.post(path, { version: 1 })).toMatchObject({ status: 422 });
  expect(await server.post(`/assistants/${assistant_id}/latest`, {})).toMatchObject({ status: 422 });
});

test("assistants are found by metadata, graph and part of the name, and counted", async () => {
  await using server = await startServer({ graphs });
  const { assistants } = clientOf(server);
  await assistants.create({ graphId: "agent", name: "Report 50%", metadata: { team: { id: 1 }, x: 1 } });
  await assistants.create({ graphId: "counter", name: "reporter", metadata: { team: { id: 1 } } });
  const names = async (query: Parameters<typeof assistants.search>[0]) => {
    const found = (await assistants.search({ ...query, sortBy: "name", sortOrder: "asc" })).map(
      ({ name }) => name,
    );
    expect(await assistants.count(query)).toBe(found.length);
    return found.sort();
  };
  expect(await names({})).toEqual(["Report 50%", "agent", "counter", "reporter"]);
  expect(await names({ metadata: { created_by: "system" } })).toEqual(["agent", "counter"]);
  expect(await names({ metadata: { team: { id: 1 } } })).toEqual(["Report 50%", "reporter"]);
  expect(await names({ graphId: "agent" })).toEqual(["Report 50%", "agent"]);
  expect(await names({ name: "REPORT" })).toEqual(["Report 50%", "reporter"]);
  expect(await names({ name: "0%" })).toEqual(["Report 50%"]);
  expect(await names({ name: "_" })).toEqual([]);
  expect(await names({ graphId: "counter", name: "rep", metadata: { x: 1 } })).toEqual([]);
});

test("a search is sorted, paged, and answers with the fields asked for", async () => {
  await using server = await startServer({ graphs });
  const { assistants } = clientOf(server);
  for (const name of ["c", "a", "b"]) await assistants.create({ graphId: "agent", name });
  const names = async (query: Parameters<typeof assistants.search>[0]) =>
    (await assistants.search(query)).map(({ name }) => name);
  expect((await names({})).slice(0, 3)).toEqual(["b", "a", "c"]);
  expect((await names({ sortBy: "created_at", sortOrder: "asc" })).slice(2)).toEqual(["c", "a", "b"]);
  expect(await names({ sortBy: "name", sortOrder: "asc" })).toEqual(["a", "agent", "b", "c", "counter"]);
  expect((await names({ sortBy: "graph_id", sortOrder: "desc" }))[0]).toBe("counter");
  await assistants.update("counter", {});
  expect(await names({ sortBy: "updated_at", limit: 1 })).toEqual(["counter"]);
  const ids = (await assistants.search({ sortBy: "assistant_id" })).map(({ assistant_id }) => assistant_id);
  expect(ids).toEqual(ids.toSorted().toReversed());

  const page = { sortBy: "name", sortOrder: "asc", includePagination: true } as const;
  const { assistants: second, next } = await assistants.search({ ...page, limit: 2, offset: 2 });
  expect([second.map(({ name }) => name), next]).toEqual([["b", "c"], "4"]);
  expect((await assistants.search({ ...page, limit: 1, offset: 4 })).next).toBeNull();
  expect(await assistants.search({ name: "agent", select: ["name", "version"] })).toEqual([
    { name: "agent", version: 1 },
  ]);
  const answer = await server.post("/assistants/search", { limit: 1 });
  expect(answer.headers.get("x-pagination-total")).toBe("5");
  expect(answer.headers.get("x-pagination-next")).toBe("1");
  expect(await server.post("/assistants/search", { limit: 0 })).toMatchObject({ status: 422 });
  expect(await server.post("/assistants/search", { sort_by: "config" })).toMatchObject({ status: 422 });
});

test("a deleted assistant is gone with its versions; a default one is as on the first day", async () => {
  await using server = await startServer({ graphs });
  const { assistants } = clientOf(server);
  const { assistant_id } = await assistants.create({ graphId: "agent" });
  const answer = await server.get(`/assistants/${assistant_id}`, { method: "DELETE" });
  expect([answer.status, answer.body]).toEqual([200, [assistant_id]]);
  await expect(assistants.get(assistant_id)).rejects.toThrow("404");
  expect(await assistants.create({ graphId: "agent", assistantId: assistant_id })).toMatchObject({
    version: 1,
  });

  await assistants.update("agent", { name: "Changed", config: {} });
  await assistants.delete("agent");
  expect(await assistants.get("agent")).toMatchObject({
    version: 1,
    name: "agent",
    config: { recursion_limit: 7 },
  });
  expect(await assistants.getVersions("agent")).toHaveLength(1);
});

test("an assistant's threads stay, unless they are to go with it", async () => {
  await using server = await startServer({ graphs });
  const { assistants, runs, threads } = clientOf(server);
  const text = { input: { text: "a" }, ifNotExists: "create" } as const;
  const { assistant_id } = await assistants.create({ graphId: "agent" });
  await runs.wait("mine", assistant_id, text);
  await runs.wait("other", "agent", text);
  await assistants.delete(assistant_id);
  expect(await threads.get("mine")).toMatchObject({ metadata: { assistant_id } });
  expect(await runs.list("mine")).toMatchObject([{ assistant_id, status: "success" }]);

  await assistants.create({ graphId: "agent", assistantId: assistant_id });
  await assistants.delete(assistant_id, { deleteThreads: true });
  await expect(threads.get("mine")).rejects.toThrow("404");
  expect(await threads.getState("other")).toMatchObject({ values: { text: "a!" } });
});

test("instances that ask at once on a new database all find the default assistants", async () => {
  await using server = await startServer({ graphs });
  const local = { databaseUrl: server.database.url };
  await using second = await startServer({ graphs, local });
  await using third = await startServer({ graphs, local });
  const counts = [server, second, third].map(async (one) => clientOf(one).assistants.count());
  expect(await Promise.all(counts)).toEqual([2, 2, 2]);
});
