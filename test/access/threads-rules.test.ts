import { expect, test } from "vitest";
import { EVERYTHING, type Grant, type Policy } from "../../src/core/auth.ts";
import { AppError } from "../../src/errors.ts";
import { shout } from "../support/graphs.ts";
import { appWithUsers } from "../support/users.ts";
import { adasThread, answers, operations, type Operation } from "../support/thread-operations.ts";

const graphs = [{ name: "shout", graph: shout }];
const input = { text: "a" };

/** As an official `Auth` object does it: the owner is in the metadata, and a filter asks for it there. */
const byMetadata: Partial<Policy> = {
  decide: async (user, event, value) => {
    const owner = user.identity;
    const written = ["threads:create", "threads:create_run"].includes(event)
      ? { ...value, metadata: { ...Object(Reflect.get(value, "metadata")), owner } }
      : value;
    return { value: written, scope: { metadata: [{ field: "owner", is: owner }] } };
  },
};

test("a handler's metadata is written, and its filter decides", async () => {
  await using app = await appWithUsers({ graphs, policy: byMetadata });
  const all = operations(await adasThread(app, "adas"));
  expect((await app.as("ada").ask("GET", "/threads/adas")).body).toMatchObject({
    metadata: { owner: "ada", topic: "adas" },
  });
  const found = await answers(app.as("bob"), all, "adas");
  expect(found).toEqual(await answers(app.as("bob"), all, "none"));
  const taken = { thread_id: "adas", metadata: {}, if_exists: "do_nothing" };
  expect((await app.as("bob").ask("POST", "/threads", taken)).status).toBe(409);
  expect((await app.as("bob").ask("POST", "/threads/search", {})).body).toEqual([]);
  expect((await app.as("bob").ask("POST", "/threads/count", { metadata: { owner: "ada" } })).body).toBe(0);
  expect((await app.as("bob").ask("POST", "/threads/prune", { thread_ids: ["adas"] })).body).toEqual({
    pruned_count: 0,
  });
  expect((await app.as("ada").ask("POST", "/threads/count", {})).body).toBe(1);
});

test("what a handler changes of what was asked for is what is done", async () => {
  const decide: Policy["decide"] = async (user, event, value) => {
    const changed: Record<string, unknown> = { ...value };
    if (event === "threads:search") Object.assign(changed, { metadata: { shared: true }, limit: 1 });
    if (event === "threads:update") Object.assign(changed, { metadata: { changedBy: user.identity } });
    if (event === "threads:create") {
      const { secret: _, ...metadata } = Object(value["metadata"]);
      Object.assign(changed, { metadata: { ...metadata, madeBy: user.identity } });
    }
    return { value: { ...value, ...changed }, scope: EVERYTHING } satisfies Grant<typeof value>;
  };
  await using app = await appWithUsers({ graphs, policy: { decide } });
  const ada = app.as("ada");
  await ada.ask("POST", "/threads", { thread_id: "a", metadata: { shared: true, secret: 1 } });
  await ada.ask("POST", "/threads", { thread_id: "b", metadata: { shared: true } });
  await ada.ask("POST", "/threads", { thread_id: "c" });
  expect((await ada.ask("GET", "/threads/a")).body).toMatchObject({
    metadata: { shared: true, madeBy: "ada" },
  });
  const found = await ada.ask("POST", "/threads/search", { limit: 10 });
  expect([found.body, found.headers.get("x-pagination-total")]).toMatchObject([{ length: 1 }, "2"]);
  expect((await ada.ask("POST", "/threads/count", {})).body).toBe(2);
  const patched = await app.as("bob").ask("PATCH", "/threads/a", { metadata: { secret: 2 } });
  expect(patched.body).toMatchObject({ metadata: { shared: true, madeBy: "ada", changedBy: "bob" } });
  const copied = await app.as("bob").ask("POST", "/threads/a/copy");
  expect(copied.body).toMatchObject({ metadata: { shared: true, madeBy: "bob", changedBy: "bob" } });
});

test("what a handler refuses is not done, of several threads none of it", async () => {
  const decide: Policy["decide"] = async (_user, event, value) => {
    if (event === "threads:delete" && value["thread_id"] === "kept")
      throw new AppError("forbidden", "This one is kept");
    if (event === "threads:update") throw new AppError("forbidden", "Nothing is changed");
    return null;
  };
  await using app = await appWithUsers({ graphs, policy: { decide } });
  const ada = app.as("ada");
  for (const thread_id of ["kept", "other"]) await ada.ask("POST", "/threads", { thread_id });
  const refused: readonly Operation[] = [
    ["DELETE", "/threads/kept"],
    ["POST", "/threads/prune", { thread_ids: ["other", "kept"] }],
    ["PATCH", "/threads/other", { metadata: { a: 1 } }],
    ["POST", "/threads/other/state", { values: {} }],
    ["PATCH", "/threads/other/state", { metadata: { a: 1 } }],
    [
      "POST",
      "/threads",
      {
        thread_id: "made",
        metadata: { graph_id: "shout" },
        supersteps: [{ updates: [{ values: input, as_node: "shout" }] }],
      },
    ],
  ];
  for (const [method, path, body] of refused)
    expect([path, (await ada.ask(method, path, body)).status]).toEqual([path, 403]);
  const left = await ada.ask("POST", "/threads/search", { sort_by: "thread_id", sort_order: "asc" });
  expect(left.body).toMatchObject([{ thread_id: "kept" }, { thread_id: "other", metadata: {} }]);
  expect((await ada.ask("DELETE", "/threads/other")).status).toBe(204);
});
