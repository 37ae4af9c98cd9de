/** One store for all users, where handlers of an `Auth` object decide who reaches what of it. */

import { Auth } from "@langchain/langgraph-sdk/auth";
import { expect, test } from "vitest";
import type { Grant, Policy, Scope } from "../../src/core/auth.ts";
import type { JsonObject } from "../../src/core/model.ts";
import { appWithUsers } from "../support/users.ts";
import { get, namespaces, put, remove, search } from "../support/store-items.ts";

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
  await using app = await appWithUsers({ policy });
  const [ada, bob] = [app.as("ada").ask, app.as("bob").ask];
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

test("the handlers of an Auth object that rewrite namespaces are obeyed by all operations", async () => {
  const auth = new Auth()
    .authenticate(({ headers }) => headers.get("x-user") ?? "nobody")
    .on("store", ({ value, user }) => {
      value.namespace = [user.identity, ...(value.namespace ?? [])];
    });
  await using app = await appWithUsers({ auth });
  const [ada, bob] = [app.as("ada").ask, app.as("bob").ask];
  expect(await put(ada, ["notes"], "k", { of: "ada" })).toBe(204);
  expect([await get(bob, "notes", "k"), await get(bob, "ada.notes", "k")]).toEqual([null, null]);
  expect([await search(bob), await namespaces(bob)]).toEqual([{ items: [] }, []]);
  expect(await remove(bob, ["notes"], "k")).toBe(204);
  expect(await get(ada, "notes", "k")).toMatchObject({ namespace: ["ada", "notes"], value: { of: "ada" } });
  expect(await namespaces(ada)).toEqual([["ada", "notes"]]);
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
  await using app = await appWithUsers({ policy });
  const ada = app.as("ada").ask;
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
  await using app = await appWithUsers({ policy: sharing(() => [{ namespace: null }, {}]) });
  const answer = await app.as("ada").ask("PUT", "/store/items", { namespace: ["a"], key: "k", value: {} });
  expect([answer.status, answer.text]).toEqual([422, expect.stringContaining("namespace")]);
});

const ownersOnly = sharing((_, __, identity) => [{}, { metadata: [{ field: "owner", is: identity }] }]);

test("a handler's filter is a part of what is read, listed, stored and deleted", async () => {
  await using app = await appWithUsers({ policy: ownersOnly });
  const [ada, bob] = [app.as("ada").ask, app.as("bob").ask];
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
  await using app = await appWithUsers({ policy });
  const [ada, bob] = [app.as("ada").ask, app.as("bob").ask];
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
  await using app = await appWithUsers({ policy: ownersOnly });
  for (let round = 0; round < 10; round += 1) {
    const key = `k${round}`;
    const answers = await Promise.all(
      ["ada", "bob"].map(async (owner) => put(app.as(owner).ask, ["n"], key, { owner })),
    );
    const winner = answers[0] === 204 ? "ada" : "bob";
    expect(answers.toSorted((a, b) => a - b)).toEqual([204, 404]);
    expect(await get(app.as(winner).ask, "n", key)).toMatchObject({ value: { owner: winner } });
  }
});

test("a store that all come to share shows nothing of those that its users had before", async () => {
  await using before = await appWithUsers();
  await put(before.as("ada").ask, ["private"], "k", { owner: "ada" });
  await using after = await appWithUsers({ policy: sharing(() => [{}, {}]), database: before.database });
  expect(await search(after.as("ada").ask)).toEqual({ items: [] });
  expect(await namespaces(after.as("ada").ask)).toEqual([]);
  await put(after.as("ada").ask, ["private"], "k", { shared: true });
  expect(await search(after.as("bob").ask)).toMatchObject({ items: [{ value: { shared: true } }] });
  expect(await get(before.as("ada").ask, "private", "k")).toMatchObject({ value: { owner: "ada" } });
});

test("where a policy decides about the store, it decides about all of it", async () => {
  const policy: Policy = { decidesStore: true, decide: async () => null };
  await using app = await appWithUsers({ policy });
  const answer = await app.as("ada").ask("POST", "/store/items/search", {});
  expect(answer).toMatchObject({ status: 403, body: { detail: "There is no rule for store:search" } });
});
