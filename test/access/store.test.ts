/** Who reaches which items of the store: by its endpoints, and in graphs. */

import { Annotation, type LangGraphRunnableConfig, START, StateGraph } from "@langchain/langgraph";
import { expect, test } from "vitest";
import { z } from "zod";
import { appWithUsers, type Ask } from "../support/users.ts";
import { get, namespaces, put, remove, search } from "../support/store-items.ts";

test("two users who write the same name each have an item of their own, and nobody else has one", async () => {
  await using app = await appWithUsers();
  const [ada, bob, nobody] = [app.as("ada").ask, app.as("bob").ask, app.system.ask];
  expect(await put(ada, ["notes", "a"], "k", { of: "ada" })).toBe(204);
  expect(await get(bob, "notes.a", "k")).toBeNull();
  expect(await search(bob)).toEqual({ items: [] });
  expect(await namespaces(bob)).toEqual([]);
  expect(await put(bob, ["notes", "a"], "k", { of: "bob" })).toBe(204);
  for (const [ask, of] of [
    [ada, "ada"],
    [bob, "bob"],
  ] as const) {
    expect(await get(ask, "notes.a", "k")).toMatchObject({
      namespace: ["notes", "a"],
      key: "k",
      value: { of },
    });
    expect(await search(ask)).toMatchObject({
      items: [{ namespace: ["notes", "a"], key: "k", value: { of } }],
    });
    expect(await search(ask, { filter: { of: "ada" } })).toMatchObject({
      items: of === "ada" ? [{ value: { of } }] : [],
    });
    expect(await namespaces(ask)).toEqual([["notes", "a"]]);
  }
  expect(await remove(bob, ["notes", "a"], "k")).toBe(204);
  expect(await get(ada, "notes.a", "k")).toMatchObject({ value: { of: "ada" } });
  expect(await get(nobody, "notes.a", "k")).toBeNull();
});

test("prefixes, suffixes and depths are those of the owner's own namespaces", async () => {
  await using app = await appWithUsers();
  const [ada, bob] = [app.as("ada").ask, app.as("bob").ask];
  for (const namespace of [["a"], ["a", "x"], ["a", "x", "deep"], ["b", "x"], ["b", "y"]]) {
    await put(ada, namespace, "k", {});
    await put(bob, ["only", "bob", ...namespace], "k", {});
  }
  expect(await namespaces(ada)).toEqual([["a"], ["a", "x"], ["a", "x", "deep"], ["b", "x"], ["b", "y"]]);
  expect(await namespaces(ada, { prefix: ["a"] })).toEqual([["a"], ["a", "x"], ["a", "x", "deep"]]);
  expect(await namespaces(ada, { prefix: ["*", "x"] })).toEqual([
    ["a", "x"],
    ["a", "x", "deep"],
    ["b", "x"],
  ]);
  expect(await namespaces(ada, { prefix: ["*"], suffix: ["y"] })).toEqual([["b", "y"]]);
  expect(await namespaces(ada, { suffix: ["x"] })).toEqual([
    ["a", "x"],
    ["b", "x"],
  ]);
  expect(await namespaces(ada, { suffix: ["*", "x"] })).toEqual([
    ["a", "x"],
    ["b", "x"],
  ]);
  expect(await namespaces(ada, { suffix: ["*", "a"] })).toEqual([]); // not the owner's label and "a"
  expect(await namespaces(ada, { suffix: ["*", "*"] })).toEqual([
    ["a", "x"],
    ["a", "x", "deep"],
    ["b", "x"],
    ["b", "y"],
  ]);
  expect(await namespaces(ada, { max_depth: 1 })).toEqual([["a"], ["b"]]);
  expect(await namespaces(ada, { max_depth: 2, suffix: ["deep"] })).toEqual([["a", "x"]]);
  expect(await namespaces(ada, { max_depth: 1, limit: 1, offset: 1 })).toEqual([["b"]]);
  expect(await search(ada, { namespace_prefix: ["a", "x"] })).toMatchObject({
    items: [{ namespace: ["a", "x", "deep"] }, { namespace: ["a", "x"] }],
  });
  expect(await search(ada, { namespace_prefix: ["only"] })).toEqual({ items: [] });
});

test("no label leads out of an owner's store, nor shows where it is", async () => {
  await using app = await appWithUsers();
  const [ada, bob, nobody] = [app.as("ada").ask, app.as("bob").ask, app.system.ask];
  await put(ada, ["secret"], "k", { of: "ada" });
  const [row] = await app.database.query("select namespace from langgraph.store_items");
  const { namespace: stored } = z.object({ namespace: z.array(z.string()) }).parse(row);
  const [root = ""] = stored;
  expect(stored).toEqual([root, "secret"]);
  for (const labels of [[root], [root, "secret"], [root.slice(1), "secret"], ["*", "secret"], ["..", root]]) {
    for (const ask of [bob, nobody]) {
      const found = await ask("POST", "/store/items/search", { namespace_prefix: labels });
      expect([200, 422]).toContain(found.status);
      expect(found.text).not.toContain("ada");
      const listed = await ask("POST", "/store/namespaces", { prefix: labels });
      expect(listed.text).not.toContain('["secret"]');
    }
    const written = await put(bob, labels, "k", { of: "bob" });
    expect([204, 422]).toContain(written);
    expect([204, 422]).toContain(await remove(bob, labels, "k"));
    expect(await get(ada, "secret", "k")).toMatchObject({ value: { of: "ada" } });
  }
  const long = ["x".repeat(1_025)];
  const refused = await ada("PUT", "/store/items", { namespace: long, key: "k", value: {} });
  expect([refused.status, refused.text]).toEqual([
    422,
    expect.stringContaining("1025 bytes (max 1024 bytes)"),
  ]);
  for (const body of [{ namespace: ["a.b"] }, { namespace: [""] }, { namespace: ["langgraph"] }]) {
    const { status, text } = await ada("PUT", "/store/items", { ...body, key: "k", value: {} });
    expect([status, text.includes(root.slice(1))]).toEqual([422, false]);
  }
  expect(await put(ada, ["x".repeat(1_024)], "y".repeat(1_024), {})).toBe(204);
});

const Found = Annotation.Root({ text: Annotation<string>, found: Annotation<unknown> });

/** Tells what there is in its store, and then adds to it. */
const remembering = new StateGraph(Found)
  .addNode("remember", async ({ text }, { store }: LangGraphRunnableConfig) => {
    const found = (await store?.search([], { limit: 100 })) ?? [];
    await store?.put(["memories"], text, { text });
    return { found: found.map(({ namespace, key }) => [...namespace, key]) };
  })
  .addEdge(START, "remember")
  .compile();

test("a graph has the store of the user whom it runs for", async () => {
  await using app = await appWithUsers({ graphs: [{ name: "remembering", graph: remembering }] });
  const [ada, bob, nobody] = [app.as("ada").ask, app.as("bob").ask, app.system.ask];
  const run = async (ask: Ask, text: string) =>
    (await ask("POST", "/runs/wait", { assistant_id: "remembering", input: { text } })).body;
  await put(ada, ["memories"], "by-hand", { of: "ada" });
  await put(bob, ["memories"], "by-hand", { of: "bob" });
  expect(await run(ada, "first")).toMatchObject({ found: [["memories", "by-hand"]] });
  expect(await run(ada, "second")).toMatchObject({
    found: [
      ["memories", "first"],
      ["memories", "by-hand"],
    ],
  });
  expect(await run(bob, "third")).toMatchObject({ found: [["memories", "by-hand"]] });
  expect(await get(ada, "memories", "second")).toMatchObject({ value: { text: "second" } });
  expect(await get(bob, "memories", "second")).toBeNull();
  expect(await get(nobody, "memories", "second")).toBeNull();
  // By whichever door the run comes, and whoever executes it.
  expect((await ada("POST", "/graphs/remembering/invoke", { input: { text: "native" } })).status).toBe(200);
  await ada("POST", "/threads", { thread_id: "t" });
  await ada("POST", "/threads/t/runs", { assistant_id: "remembering", input: { text: "in-background" } });
  await expect.poll(async () => get(ada, "memories", "in-background"), { timeout: 20_000 }).not.toBeNull();
  expect(await get(ada, "memories", "native")).not.toBeNull();
  expect(await search(bob)).toMatchObject({ items: [{ key: "third" }, { key: "by-hand" }] });
});

test("strangers have a store of their own, where a graph is open to them", async () => {
  const open = { name: "remembering", graph: remembering, authLevel: "anonymous" } as const;
  await using app = await appWithUsers({ graphs: [open] });
  await put(app.as("ada").ask, ["memories"], "of-ada", {});
  await put(app.system.ask, ["memories"], "of-the-server", {});
  const run = async (text: string) =>
    (await app.ask(undefined, "POST /graphs/remembering/invoke", { body: { input: { text } } })).body;
  expect(await run("first")).toMatchObject({ output: { found: [] } });
  expect(await run("second")).toMatchObject({ output: { found: [["memories", "first"]] } });
  expect(await search(app.as("ada").ask)).toMatchObject({ items: [{ key: "of-ada" }] });
  for (const endpoint of ["POST /store/items/search", "POST /store/namespaces"])
    expect((await app.ask(undefined, endpoint, { body: {} })).status).toBe(401);
});

/** Goes on as its store says, which it is also asked for when a state is edited. */
const choosing = new StateGraph(Found)
  .addNode("choose", () => ({}))
  .addNode("known", () => ({}))
  .addNode("unknown", () => ({}))
  .addEdge(START, "choose")
  .addConditionalEdges("choose", async (_, { store }: LangGraphRunnableConfig) =>
    (await store?.get(["memories"], "word")) == null ? "unknown" : "known",
  )
  .compile();

test("an edit of a state asks the store of the user who makes it", async () => {
  await using app = await appWithUsers({ graphs: [{ name: "choosing", graph: choosing }] });
  await put(app.as("ada").ask, ["memories"], "word", {});
  for (const [who, next] of [
    ["ada", "known"],
    ["bob", "unknown"],
  ] as const) {
    await app.as(who).ask("POST", "/threads", { thread_id: who, metadata: { graph_id: "choosing" } });
    const edit = { values: { text: "a" }, as_node: "choose" };
    expect((await app.as(who).ask("POST", `/threads/${who}/state`, edit)).status).toBe(200);
    expect((await app.as(who).ask("GET", `/threads/${who}/state`)).body).toMatchObject({ next: [next] });
  }
});

test("where nobody signs in, all share one store", async () => {
  await using app = await appWithUsers({ graphs: [{ name: "remembering", graph: remembering }] });
  const nobody = app.system.ask;
  await put(nobody, ["memories"], "first", {});
  const run = { assistant_id: "remembering", input: { text: "second" } };
  expect((await nobody("POST", "/runs/wait", run)).body).toMatchObject({ found: [["memories", "first"]] });
  expect(await app.database.query("select namespace, key from langgraph.store_items order by key")).toEqual([
    { namespace: ["memories"], key: "first" },
    { namespace: ["memories"], key: "second" },
  ]);
});
