/** The `Auth` object of the official SDK, as the official server asks it. */

import { Auth, HTTPException, isStudioUser } from "@langchain/langgraph-sdk/auth";
import { afterEach, expect, test } from "vitest";
import type { AuthOption } from "langgraph-functions";
import { shout } from "../support/graphs.ts";
import { startServer, type Answer, type TestServer } from "../support/server.ts";

let server: TestServer | undefined;

afterEach(async () => server?.[Symbol.asyncDispose]());

/** Callers are who they say they are. */
function byName(): Auth {
  return new Auth().authenticate((request: Request) => {
    const name = request.headers.get("authorization");
    if (name === null)
      throw new HTTPException(401, { message: "Who are you?", headers: { "x-hint": "say it" } });
    return { identity: name, permissions: ["may"] };
  });
}

async function serve(auth: AuthOption, options: object = {}): Promise<TestServer> {
  server = await startServer({ auth, graphs: [{ name: "shout", graph: shout }], ...options });
  return server;
}

async function as(
  name: string | undefined,
  method: string,
  path: string,
  body?: object,
): Promise<Answer & { readonly body: any }> {
  const headers = {
    "content-type": "application/json",
    ...(name === undefined ? {} : { authorization: name }),
  };
  const init = { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) };
  return (server as TestServer).get(path, init);
}

test("the answer of an HTTPException is the one that it says", async () => {
  await serve(byName());
  const { status, body, headers } = await as(undefined, "POST", "/threads", {});
  expect([status, body, headers.get("x-hint")]).toEqual([
    401,
    { error: "unauthorized", detail: "Who are you?" },
    "say it",
  ]);
  await serve(
    byName().on("threads:create", () => {
      throw new HTTPException(402, { message: "Pay first" });
    }),
  );
  const paid = await as("ada", "POST", "/threads", {});
  expect([paid.status, paid.body.detail]).toEqual([402, "Pay first"]);
});

test("an error of a callback is the server's, and tells nobody anything", async () => {
  await serve(
    new Auth().authenticate(() => {
      throw new Error("secret of the callback");
    }),
  );
  const { status, text } = await as("ada", "POST", "/threads", {});
  expect(status).toBe(500);
  expect(text).not.toContain("secret");
  expect(server?.errors).toMatchObject([{ fields: { err: expect.objectContaining({}) } }]);
});

test.each([[undefined], [null], [{}], [{ identity: "" }], [42]])(
  "%j as an answer lets nobody in",
  async (answer) => {
    const auth = new Auth().authenticate((() => answer) as never);
    await serve(auth);
    expect((await as("ada", "POST", "/threads", {})).status).toBe(500);
  },
);

test("of the callbacks that fit, the most particular one is asked, and no other", async () => {
  const asked: string[] = [];
  const tell = (name: string) => () => {
    asked.push(name);
    return true;
  };
  await serve(
    byName()
      .on("*", tell("*"))
      .on("*:read", tell("*:read"))
      .on("threads", tell("threads"))
      .on("threads:create", tell("threads:create")),
  );
  const { body } = await as("ada", "POST", "/threads", {});
  await as("ada", "GET", `/threads/${body.thread_id}`);
  await as("ada", "GET", "/assistants/shout");
  await as("ada", "POST", "/assistants/search", {});
  expect(asked).toEqual(["threads:create", "threads", "*:read", "*"]);
});

test("a callback is told who asks, for what", async () => {
  const seen: unknown[] = [];
  await serve(byName().on("*", (asked) => void seen.push(structuredClone(asked))));
  const { body } = await as("ada", "POST", "/threads", { metadata: { a: 1 } });
  await as("ada", "GET", `/threads/${body.thread_id}`);
  const user = { identity: "ada", display_name: "ada", is_authenticated: true, permissions: ["may"] };
  expect(seen).toMatchObject([
    {
      event: "threads:create",
      resource: "threads",
      action: "create",
      user,
      permissions: ["may"],
      value: { metadata: { a: 1 } },
    },
    { event: "threads:read", value: { thread_id: body.thread_id } },
  ]);
});

test("false forbids, and nothing is done", async () => {
  await serve(byName().on("threads:create", ({ user }) => user.identity !== "eve"));
  expect((await as("eve", "POST", "/threads", {})).status).toBe(403);
  expect((await as("ada", "POST", "/threads", {})).status).toBe(200);
  expect((await as("ada", "POST", "/threads/count", {})).body).toBe(1);
});

test("a filter is laid over what there is, and what a callback writes into the metadata stays there", async () => {
  await serve(
    byName().on("threads", ({ value, user }) => {
      if ("metadata" in value) value.metadata = { ...value.metadata, owner: user.identity };
      return { owner: user.identity };
    }),
  );
  const { body: thread } = await as("ada", "POST", "/threads", { metadata: { topic: "x" } });
  expect(thread.metadata).toEqual({ topic: "x", owner: "ada" });
  expect((await as("ada", "GET", `/threads/${thread.thread_id}`)).status).toBe(200);
  expect((await as("bob", "GET", `/threads/${thread.thread_id}`)).status).toBe(404);
  expect((await as("bob", "POST", "/threads/search", {})).body).toEqual([]);
  expect((await as("bob", "PATCH", `/threads/${thread.thread_id}`, { metadata: {} })).status).toBe(404);
  expect(
    (await as("bob", "POST", "/threads", { thread_id: thread.thread_id, if_exists: "do_nothing" })).status,
  ).toBe(409);
});

test("$eq and $contains are what they are on the official server", async () => {
  let filter: Record<string, unknown> = {};
  await serve(
    byName()
      .on("threads:read", () => filter as never)
      .on("*", () => true),
  );
  const metadata = { team: "a", members: ["ada", "bob"] };
  const { body: thread } = await as("ada", "POST", "/threads", { metadata });
  const found = async (wanted: Record<string, unknown>): Promise<boolean> => {
    filter = wanted;
    return (await as("ada", "GET", `/threads/${thread.thread_id}`)).status === 200;
  };
  expect(await found({ team: "a" })).toBe(true);
  expect(await found({ team: { $eq: "a" } })).toBe(true);
  expect(await found({ team: { $eq: "b" } })).toBe(false);
  expect(await found({ members: { $contains: "ada" } })).toBe(true);
  expect(await found({ members: { $contains: ["bob", "ada"] } })).toBe(true);
  expect(await found({ members: { $contains: ["ada", "eve"] } })).toBe(false);
  expect(await found({ team: { $contains: "a" } })).toBe(false);
  expect(await found({ members: "ada" })).toBe(false);
  expect(await found({ team: "a", members: { $contains: "eve" } })).toBe(false);
});

test("a filter that nobody can read lets nothing pass", async () => {
  let answer: unknown;
  await serve(byName().on("threads:search", () => answer as never));
  for (answer of [{ a: { $ne: 1 } }, { a: {} }, [], "yes", 1, { a: { $eq: 1, $contains: 2 } }])
    expect([answer, (await as("ada", "POST", "/threads/search", {})).status]).toEqual([answer, 500]);
});

test("a callback that spoils a value stops the request", async () => {
  await serve(
    byName().on("threads:create", ({ value }) => {
      (value as { metadata: unknown }).metadata = "spoilt";
    }),
  );
  expect((await as("ada", "POST", "/threads", { metadata: { a: 1 } })).status).toBe(500);
});

test("where no callback speaks, things belong to who made them", async () => {
  await serve(byName());
  const { body: thread } = await as("ada", "POST", "/threads", {});
  expect((await as("bob", "GET", `/threads/${thread.thread_id}`)).status).toBe(404);
});

test("LangGraph Studio is let in on a developer's machine alone", async () => {
  const seen: boolean[] = [];
  const auth = byName().on("*", ({ user }) => void seen.push(isStudioUser(user)));
  const studio = async (): Promise<number> => {
    const headers = { "content-type": "application/json", "x-auth-scheme": "langsmith", "x-api-key": "any" };
    return (await (server as TestServer).post("/threads", {}, { headers })).status;
  };
  await serve(auth);
  expect(await studio()).toBe(401);
  await serve(auth, { allowStudio: true });
  expect([await studio(), seen]).toEqual([200, [true]]);
});

test("an Auth object may be loaded when it is needed", async () => {
  await serve(async () => byName());
  expect((await as("ada", "POST", "/threads", {})).status).toBe(200);
  expect((await as(undefined, "POST", "/threads", {})).status).toBe(401);
});

test("an Auth object that authenticates nobody serves nobody", async () => {
  await serve(new Auth());
  expect((await as("ada", "POST", "/threads", {})).status).toBe(500);
  expect((await as("ada", "GET", "/ok")).status).toBe(200);
});
