/** Who reaches which items of the store: by its endpoints, and in graphs. */

import { Annotation, type LangGraphRunnableConfig, START, StateGraph } from "@langchain/langgraph";
import { expect, test } from "vitest";
import { z } from "zod";
import type { Grant, Policy, Scope } from "../../src/core/auth.ts";
import type { JsonObject } from "../../src/core/model.ts";
import { signedInApp, type Ask } from "../support/signed-in.ts";

const put = async (ask: Ask, namespace: readonly string[], key: string, value: object) =>
  (await ask("PUT", "/store/items", { namespace, key, value })).status;
const get = async (ask: Ask, namespace: string, key: string) =>
  (await ask("GET", `/store/items?namespace=${encodeURIComponent(namespace)}&key=${key}`)).body;
const search = async (ask: Ask, body: object = {}) => (await ask("POST", "/store/items/search", body)).body;
const namespaces = async (ask: Ask, body: object = {}) => {
  const { body: found } = await ask("POST", "/store/namespaces", body);
  return z.object({ namespaces: z.array(z.array(z.string())) }).parse(found).namespaces;
};
const remove = async (ask: Ask, namespace: readonly string[], key: string) =>
  (await ask("DELETE", "/store/items", { namespace, key })).status;

test("two users who write the same name each have an item of their own, and nobody else has one", async () => {
  await using app = await signedInApp();
  const [ada, bob, nobody] = [app.as("ada"), app.as("bob"), app.as()];
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
  await using app = await signedInApp();
  const [ada, bob] = [app.as("ada"), app.as("bob")];
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
  await using app = await signedInApp();
  const [ada, bob, nobody] = [app.as("ada"), app.as("bob"), app.as()];
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
  await using app = await signedInApp({ graphs: [{ name: "remembering", graph: remembering }] });
  const [ada, bob, nobody] = [app.as("ada"), app.as("bob"), app.as()];
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
  await using app = await signedInApp({ graphs: [{ name: "choosing", graph: choosing }] });
  await put(app.as("ada"), ["memories"], "word", {});
  for (const [who, next] of [
    ["ada", "known"],
    ["bob", "unknown"],
  ] as const) {
    await app.as(who)("POST", "/threads", { thread_id: who, metadata: { graph_id: "choosing" } });
    const edit = { values: { text: "a" }, as_node: "choose" };
    expect((await app.as(who)("POST", `/threads/${who}/state`, edit)).status).toBe(200);
    expect((await app.as(who)("GET", `/threads/${who}/state`)).body).toMatchObject({ next: [next] });
  }
});

test("where nobody signs in, all share one store", async () => {
  await using app = await signedInApp({ graphs: [{ name: "remembering", graph: remembering }] });
  const nobody = app.as();
  await put(nobody, ["memories"], "first", {});
  const run = { assistant_id: "remembering", input: { text: "second" } };
  expect((await nobody("POST", "/runs/wait", run)).body).toMatchObject({ found: [["memories", "first"]] });
  expect(await app.database.query("select namespace, key from langgraph.store_items order by key")).toEqual([
    { namespace: ["memories"], key: "first" },
    { namespace: ["memories"], key: "second" },
  ]);
});

/** One store for all, of which a handler decides. */
function sharing(
  decide: (event: string, value: JsonObject, identity: string) => [JsonObject, Scope],
): Policy {
  return {
    decidesStore: true,
    decide: async <Value extends JsonObject>(
      { identity }: { identity: string },
      event: string,
      value: Value,
    ): Promise<Grant<Value> | null> => {
      if (!event.startsWith("store:")) return null;
      const [changes, scope] = decide(event, value, identity);
      return { value: { ...value, ...changes }, scope };
    },
  };
}

const labelsOf = (value: JsonObject): unknown[] => {
  const { namespace } = value;
  return Array.isArray(namespace) ? namespace : [];
};

test("a handler that puts the user's name before the namespace keeps users apart, whatever they ask for", async () => {
  // GHSA-4hm6-w6qq-w73v: the official server dropped what JavaScript handlers had changed of it.
  const policy = sharing((_, value, identity) => [{ namespace: [identity, ...labelsOf(value)] }, {}]);
  await using app = await signedInApp({ policy });
  const [ada, bob] = [app.as("ada"), app.as("bob")];
  expect(await put(ada, ["notes"], "k", { of: "ada" })).toBe(204); // store:put
  expect(await app.database.query("select namespace from langgraph.store_items")).toEqual([
    { namespace: ["ada", "notes"] },
  ]);
  for (const namespace of ["notes", "ada.notes"]) {
    expect(await get(bob, namespace, "k")).toBeNull(); // store:get
    expect(await search(bob, { namespace_prefix: namespace.split(".") })).toEqual({ items: [] }); // store:search
    expect(await namespaces(bob, { prefix: namespace.split(".") })).toEqual([]); // store:list_namespaces
    expect(await remove(bob, namespace.split("."), "k")).toBe(204); // store:delete
    expect(await put(bob, namespace.split("."), "k", { of: "bob" })).toBe(204);
  }
  expect(await namespaces(bob)).toEqual([
    ["bob", "ada", "notes"],
    ["bob", "notes"],
  ]);
  expect(await get(ada, "notes", "k")).toMatchObject({ namespace: ["ada", "notes"], value: { of: "ada" } });
  expect(await search(ada)).toMatchObject({ items: [{ value: { of: "ada" } }] });
  expect(await remove(ada, ["notes"], "k")).toBe(204);
  expect(await get(ada, "notes", "k")).toBeNull();
});

test("what a handler changes of a key, a value, a filter or a page is what is done", async () => {
  const policy = sharing((event) => {
    const change = {
      "store:put": { key: "changed", value: { stamped: true } },
      "store:get": { key: "changed" },
      "store:delete": { key: "changed" },
      "store:search": { filter: { stamped: true }, limit: 1 },
      "store:list_namespaces": { max_depth: 1 },
    }[event];
    return [change ?? {}, {}];
  });
  await using app = await signedInApp({ policy });
  const ada = app.as("ada");
  await put(ada, ["a", "b"], "asked", { n: 1 });
  await put(ada, ["a", "c"], "asked", { n: 2 });
  expect(await get(ada, "a.b", "asked")).toMatchObject({ key: "changed", value: { stamped: true } });
  expect(await search(ada, { filter: { n: 1 }, limit: 10 })).toMatchObject({
    items: [{ namespace: ["a", "c"] }],
  });
  expect(await namespaces(ada)).toEqual([["a"]]);
  expect(await remove(ada, ["a", "b"], "asked")).toBe(204);
  expect(await search(ada)).toMatchObject({ items: [{ namespace: ["a", "c"] }] });
});

test("a handler that names no namespace gets an answer that says so", async () => {
  await using app = await signedInApp({ policy: sharing(() => [{ namespace: null }, {}]) });
  const answer = await app.as("ada")("PUT", "/store/items", { namespace: ["a"], key: "k", value: {} });
  expect([answer.status, answer.text]).toEqual([422, expect.stringContaining("namespace")]);
});

const ownersOnly = sharing((_, __, identity) => [{}, { metadata: [{ field: "owner", is: identity }] }]);

test("a handler's filter is a part of what is read, listed, stored and deleted", async () => {
  await using app = await signedInApp({ policy: ownersOnly });
  const [ada, bob] = [app.as("ada"), app.as("bob")];
  for (const key of ["a", "b", "c"]) expect(await put(ada, ["notes"], key, { owner: "ada", key })).toBe(204);
  expect(await put(bob, ["notes"], "d", { owner: "bob" })).toBe(204);
  expect(await put(bob, ["notes"], "e", { owner: ["bob"] })).toBe(403);
  expect(await put(bob, ["notes"], "e", { owner: "ada" })).toBe(403);
  expect(await put(bob, ["notes"], "e", {})).toBe(403);
  expect(await put(bob, ["notes"], "a", { owner: "bob" })).toBe(404);
  expect(await get(bob, "notes", "a")).toBeNull();
  expect(await remove(bob, ["notes"], "a")).toBe(404);
  expect(await remove(bob, ["notes"], "none")).toBe(404); // as one that is another's
  expect(await search(bob, { limit: 1 })).toMatchObject({ items: [{ key: "d" }] }); // a page of what is reached
  expect(await search(bob, { filter: { owner: "ada" } })).toEqual({ items: [] });
  expect(await get(ada, "notes", "a")).toMatchObject({ value: { owner: "ada", key: "a" } });
  expect(await put(ada, ["notes"], "a", { owner: "ada", again: true })).toBe(204);
  expect(await remove(ada, ["notes"], "b")).toBe(204);
  expect(await search(ada)).toMatchObject({ items: [{ key: "a" }, { key: "c" }] });
  expect(await namespaces(bob)).toEqual([["notes"]]);
  await remove(bob, ["notes"], "d");
  expect(await namespaces(bob)).toEqual([]);
});

test("a filter may be on the namespace and the key, over members of the value of the same name", async () => {
  const policy = sharing((_, __, identity) => [
    {},
    {
      metadata: [
        { field: "namespace", contains: [identity] },
        { field: "key", is: "k" },
      ],
    },
  ]);
  await using app = await signedInApp({ policy });
  const [ada, bob] = [app.as("ada"), app.as("bob")];
  expect(await put(ada, ["of", "ada"], "k", { namespace: ["bob"], key: "other" })).toBe(204);
  expect(await put(ada, ["of", "ada"], "other", { key: "k" })).toBe(403);
  expect(await put(bob, ["of", "ada"], "k", { namespace: ["bob"] })).toBe(404);
  expect(await put(bob, ["of", "nobody"], "k", { namespace: ["bob"] })).toBe(403);
  expect(await get(bob, "of.ada", "k")).toBeNull();
  expect(await namespaces(bob)).toEqual([]);
  expect(await namespaces(ada)).toEqual([["of", "ada"]]);
  expect(await remove(ada, ["of", "ada"], "none")).toBe(404);
  expect(await remove(ada, ["of", "ada"], "k")).toBe(204);
  expect(await remove(ada, ["of", "ada"], "k")).toBe(204);
});

test("of two users who write a name at the same time, one has it and the other is told", async () => {
  await using app = await signedInApp({ policy: ownersOnly });
  for (let round = 0; round < 10; round += 1) {
    const key = `k${round}`;
    const answers = await Promise.all(
      ["ada", "bob"].map(async (owner) => put(app.as(owner), ["n"], key, { owner })),
    );
    const winner = answers[0] === 204 ? "ada" : "bob";
    expect(answers.toSorted((a, b) => a - b)).toEqual([204, 404]);
    expect(await get(app.as(winner), "n", key)).toMatchObject({ value: { owner: winner } });
  }
});

test("a store that all come to share shows nothing of those that its users had before", async () => {
  await using before = await signedInApp();
  await put(before.as("ada"), ["private"], "k", { owner: "ada" });
  await using after = await signedInApp({ policy: sharing(() => [{}, {}]), database: before.database });
  expect(await search(after.as("ada"))).toEqual({ items: [] });
  expect(await namespaces(after.as("ada"))).toEqual([]);
  await put(after.as("ada"), ["private"], "k", { shared: true });
  expect(await search(after.as("bob"))).toMatchObject({ items: [{ value: { shared: true } }] });
  expect(await get(before.as("ada"), "private", "k")).toMatchObject({ value: { owner: "ada" } });
});

test("where a policy decides about the store, it decides about all of it", async () => {
  const policy: Policy = { decidesStore: true, decide: async () => null };
  await using app = await signedInApp({ policy });
  const answer = await app.as("ada")("POST", "/store/items/search", {});
  expect(answer).toMatchObject({ status: 403, body: { detail: "There is no rule for store:search" } });
});
