/** The `Auth` object of the official SDK, as the official server asks it. */

import { Auth, HTTPException, isStudioUser } from "@langchain/langgraph-sdk/auth";
import { afterEach, expect, test } from "vitest";
import type { AuthOption } from "langgraph-functions";
import { z } from "zod";
import { shout } from "../support/graphs.ts";
import { startServer, type Answer, type TestServer } from "../support/server.ts";

const servers: TestServer[] = [];

afterEach(async () => {
  for (const server of servers.splice(0)) await server[Symbol.asyncDispose]();
});

/** The newest. */
function current(): TestServer {
  const server = servers.at(-1);
  if (server === undefined) throw new Error("Nothing is served");
  return server;
}

/** Callers are who they say they are. */
function byName(): Auth {
  return new Auth().authenticate((request: Request) => {
    const name = request.headers.get("authorization");
    if (name === null)
      throw new HTTPException(401, { message: "Who are you?", headers: { "x-hint": "say it" } });
    return { identity: name, permissions: ["may"] };
  });
}

/** Whatever it answers, though the types of the SDK do not let it. */
function answering(event: string, callback: (asked: never) => unknown): AuthOption {
  return {
    "~handlerCache": { authenticate: () => "ada", callbacks: { [event]: callback, "*": () => true } },
  };
}

async function serve(auth: AuthOption, options: object = {}): Promise<TestServer> {
  const server = await startServer({ auth, graphs: [{ name: "shout", graph: shout }], ...options });
  servers.push(server);
  return server;
}

async function as(
  name: string | undefined,
  method: string,
  path: string,
  body?: object,
): Promise<Answer & { readonly thread: ThreadBody }> {
  const headers = {
    "content-type": "application/json",
    ...(name === undefined ? {} : { authorization: name }),
  };
  const init = { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) };
  const answer = await current().get(path, init);
  return { ...answer, thread: ThreadBody.parse(answer.body) };
}

const ThreadBody = z
  .object({ thread_id: z.string(), metadata: z.unknown(), detail: z.string() })
  .partial()
  .catch({});
type ThreadBody = z.output<typeof ThreadBody>;

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
  expect([paid.status, paid.thread.detail]).toEqual([402, "Pay first"]);
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
  expect(current().errors).toMatchObject([{ fields: { err: expect.objectContaining({}) } }]);
});

test.each([[undefined], [null], [{}], [{ identity: "" }], [42]])(
  "%j as an answer lets nobody in",
  async (answer) => {
    await serve({ "~handlerCache": { authenticate: () => answer } });
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
  const { thread } = await as("ada", "POST", "/threads", {});
  await as("ada", "GET", `/threads/${thread.thread_id}`);
  await as("ada", "GET", "/assistants/shout");
  await as("ada", "POST", "/assistants/search", {});
  expect(asked).toEqual(["threads:create", "threads", "*:read", "*"]);
});

test("a callback is told who asks, for what", async () => {
  const seen: unknown[] = [];
  await serve(byName().on("*", (asked) => void seen.push(structuredClone(asked))));
  const { thread } = await as("ada", "POST", "/threads", { metadata: { a: 1 } });
  await as("ada", "GET", `/threads/${thread.thread_id}`);
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
    { event: "threads:read", value: { thread_id: thread.thread_id } },
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
  const { thread } = await as("ada", "POST", "/threads", { metadata: { topic: "x" } });
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
  await serve(answering("threads:read", () => filter));
  const metadata = { team: "a", members: ["ada", "bob"] };
  const { thread } = await as("ada", "POST", "/threads", { metadata });
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
  await serve(answering("threads:search", () => answer));
  for (answer of [{ a: { $ne: 1 } }, { a: {} }, [], "yes", 1, { a: { $eq: 1, $contains: 2 } }])
    expect([answer, (await as("ada", "POST", "/threads/search", {})).status]).toEqual([answer, 500]);
});

test("a callback that spoils a value stops the request", async () => {
  await serve(
    answering("threads:create", ({ value }: { value: { metadata: unknown } }) => {
      value.metadata = "spoilt";
    }),
  );
  expect((await as("ada", "POST", "/threads", { metadata: { a: 1 } })).status).toBe(500);
});

test("where no callback speaks, things belong to who made them", async () => {
  await serve(byName());
  const { thread } = await as("ada", "POST", "/threads", {});
  expect((await as("bob", "GET", `/threads/${thread.thread_id}`)).status).toBe(404);
});

test("LangGraph Studio is let in on a developer's machine alone", async () => {
  const seen: boolean[] = [];
  const auth = byName().on("*", ({ user }) => void seen.push(isStudioUser(user)));
  const studio = async (): Promise<number> => {
    const headers = { "content-type": "application/json", "x-auth-scheme": "langsmith", "x-api-key": "any" };
    return (await current().post("/threads", {}, { headers })).status;
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

test("the document says how callers sign in, as the project does", async () => {
  const securitySchemes = {
    login: { type: "http", scheme: "bearer" },
    tenant: { type: "apiKey", in: "header", name: "x-tenant" },
  };
  const security = [{ login: ["me"], tenant: [] }];
  await serve(byName(), { securitySchemes, security });
  expect((await as("ada", "GET", "/openapi.json")).body).toMatchObject({
    components: { securitySchemes },
    paths: { "/threads": { post: { security } }, "/ok": { get: { security: [] } } },
  });
  await expect(serve(byName(), { securitySchemes, security: [{ other: [] }] })).rejects.toThrow(
    "security: other is not among the securitySchemes",
  );
});
