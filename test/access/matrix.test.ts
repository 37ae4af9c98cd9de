/**
 * Every route, called by nobody, with wrong credentials, by another user, and by whom it is for. The routes are those of
 * the OpenAPI document: one that is added there is asked for here.
 */

import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { z } from "zod";
import { jwt } from "langgraph-functions";
import { asking } from "../support/graphs.ts";
import { startServer, type TestServer } from "../support/server.ts";
import { TOKEN_SECRET, tokenOf } from "../support/tokens.ts";

/** In all that ada has, and nowhere else. */
const MARK = "adas-secret";

let server: TestServer;
let tokens: Readonly<Record<"ada" | "bob", string>>;

async function start(): Promise<TestServer> {
  vi.stubEnv("RESUME_LINK_SECRETS", "a-secret-of-more-than-thirty-two-bytes");
  return startServer({
    auth: jwt({ secret: TOKEN_SECRET }),
    graphs: [{ name: "asking", graph: asking }],
  });
}

/** What ada has. */
interface Fixture {
  readonly thread_id: string;
  readonly run_id: string;
  readonly assistant_id: string;
  readonly cron_id: string;
  readonly checkpoint_id: string;
  readonly key: string;
}

interface Sent {
  readonly query?: string;
  readonly body?: unknown;
}

interface Case {
  /** What ada sends; it is about her own things. */
  readonly send?: (fixture: Fixture) => Sent;
  /** What she is answered. Default: 200. */
  readonly right?: number;
  /** What bob is answered who sends the same. Default: 404. */
  readonly other?: number;
}

const start_run = { assistant_id: "asking", input: { text: MARK } };
const asNew: Case = { send: () => ({ body: start_run }), other: 200 };
const onThread: Case = { send: () => ({ body: start_run }) };
const search = (body: object = {}): Case => ({ send: () => ({ body }), other: 200 });
const rpc = (method: string, params: object): Sent => ({ body: { jsonrpc: "2.0", id: 1, method, params } });
const native = { input: { text: MARK } };

/** By method and path, as in the document. */
const CASES: Readonly<Record<string, Case>> = {
  "post /graphs/asking/invoke": {
    send: ({ thread_id }) => ({ body: { ...native, config: { configurable: { thread_id } } } }),
  },
  "post /graphs/asking/stream": {
    send: ({ thread_id }) => ({ body: { ...native, config: { configurable: { thread_id } } } }),
  },
  "get /graphs/asking/threads/{thread_id}/state": {},
  "post /graphs/asking/runs": {
    send: ({ thread_id }) => ({ body: { ...native, config: { configurable: { thread_id } } } }),
    right: 202,
  },
  "get /graphs/asking/runs/{run_id}": {},
  "post /graphs/asking/runs/{run_id}/cancel": { right: 202 },

  "get /health": { other: 200 },
  "get /health/details": { other: 200 },
  "get /info": { other: 200 },
  "get /ok": { other: 200 },
  "get /openapi.json": { other: 200 },
  // What opens them is a function key, as their own tests show; users do not see what others do.
  "get /status": { right: 401, other: 401 },
  "get /status/summary": { right: 401, other: 401 },
  "get /docs": { other: 200 },
  "get /docs/{name}": { right: 404 },

  "post /threads": {
    send: ({ thread_id }) => ({ body: { thread_id, if_exists: "do_nothing" } }),
    other: 409,
  },
  "post /threads/search": search(),
  "post /threads/count": search(),
  "post /threads/prune": {
    send: ({ thread_id }) => ({ body: { thread_ids: [thread_id] } }),
    other: 200,
  },
  "get /threads/{thread_id}": {},
  "patch /threads/{thread_id}": { send: () => ({ body: { metadata: { a: 1 } } }) },
  "delete /threads/{thread_id}": { right: 204 },
  "post /threads/{thread_id}/copy": {},
  "get /threads/{thread_id}/state": {},
  "post /threads/{thread_id}/state": { send: () => ({ body: { values: { text: "b" }, as_node: "ask" } }) },
  "patch /threads/{thread_id}/state": { send: () => ({ body: { metadata: { a: 1 } } }) },
  "post /threads/{thread_id}/state/checkpoint": {
    send: ({ checkpoint_id }) => ({ body: { checkpoint: { checkpoint_id } } }),
  },
  "get /threads/{thread_id}/state/{checkpoint_id}": {},
  "get /threads/{thread_id}/storage": {},
  "get /threads/{thread_id}/stream": {},
  "get /threads/{thread_id}/history": {},
  "post /threads/{thread_id}/history": { send: () => ({ body: {} }) },

  "post /threads/{thread_id}/resume-links": { send: () => ({ body: {} }) },
  // What opens them is the token, as their own tests show; this one is forged.
  "get /resume/{token}": { right: 404 },
  "post /resume/{token}": { send: () => ({ body: { response: "yes" } }), right: 404 },

  "post /threads/{thread_id}/commands": {
    send: () => ({ body: { id: 1, method: "state.get", params: { namespace: [] } } }),
    other: 200, // with the protocol's own error, as for a thread that there is not
  },
  "get /threads/{thread_id}/stream/events": { right: 405, other: 405 },
  "post /threads/{thread_id}/stream/events": {
    send: () => ({ body: { channels: ["values"], since: 0 } }),
    other: 200, // it waits for a thread that may come, and stays empty
  },

  "put /store/items": {
    send: ({ key }) => ({ body: { namespace: ["notes"], key, value: {} } }),
    right: 204,
    other: 204,
  },
  "get /store/items": { send: ({ key }) => ({ query: `namespace=notes&key=${key}` }), other: 200 },
  "delete /store/items": {
    send: ({ key }) => ({ body: { namespace: ["notes"], key } }),
    right: 204,
    other: 204,
  },
  "post /store/items/search": search({ namespace_prefix: [] }),
  "post /store/namespaces": search(),

  "post /assistants": {
    send: ({ assistant_id }) => ({ body: { assistant_id, graph_id: "asking", if_exists: "do_nothing" } }),
    other: 409,
  },
  "post /assistants/search": search(),
  "post /assistants/count": search(),
  "get /assistants/{assistant_id}": {},
  "patch /assistants/{assistant_id}": { send: () => ({ body: { name: "b" } }) },
  "delete /assistants/{assistant_id}": {},
  "post /assistants/{assistant_id}/versions": { send: () => ({ body: {} }) },
  "post /assistants/{assistant_id}/latest": { send: () => ({ body: { version: 1 } }) },
  "get /assistants/{assistant_id}/graph": {},
  "get /assistants/{assistant_id}/schemas": {},
  "get /assistants/{assistant_id}/subgraphs": {},
  "get /assistants/{assistant_id}/subgraphs/{namespace}": {},

  "post /runs": asNew,
  "post /runs/wait": asNew,
  "post /runs/stream": asNew,
  "post /runs/batch": { send: () => ({ body: [start_run] }), other: 200 },
  "post /runs/cancel": {
    send: ({ thread_id, run_id }) => ({ body: { thread_id, run_ids: [run_id] } }),
    right: 204,
    other: 204,
  },
  "get /runs/{run_id}/stream": {},
  "post /threads/{thread_id}/runs": onThread,
  "post /threads/{thread_id}/runs/wait": onThread,
  "post /threads/{thread_id}/runs/stream": onThread,
  "get /threads/{thread_id}/runs": { other: 200 }, // none, as of a thread that there is not
  "get /threads/{thread_id}/runs/{run_id}": {},
  "delete /threads/{thread_id}/runs/{run_id}": { right: 204 },
  "get /threads/{thread_id}/runs/{run_id}/join": {},
  "get /threads/{thread_id}/runs/{run_id}/stream": {},
  "post /threads/{thread_id}/runs/{run_id}/cancel": { right: 202 },

  "post /runs/crons": {
    send: ({ assistant_id }) => ({ body: { ...start_run, assistant_id, schedule: "0 0 1 1 *" } }),
  },
  "post /threads/{thread_id}/runs/crons": {
    send: () => ({ body: { ...start_run, schedule: "0 0 1 1 *" } }),
  },
  "post /runs/crons/search": search(),
  "post /runs/crons/count": search(),
  "get /runs/crons/{cron_id}": {},
  "patch /runs/crons/{cron_id}": { send: () => ({ body: { enabled: false } }) },
  "delete /runs/crons/{cron_id}": { right: 204 },

  "post /mcp": { send: () => rpc("tools/list", {}), other: 200 },
  "post /a2a/{assistant_id}": {
    send: ({ run_id }) => rpc("tasks/get", { id: run_id }),
  },
  "get /.well-known/agent-card.json": {
    send: ({ assistant_id }) => ({ query: `assistant_id=${assistant_id}` }),
  },
};

const Document = z.object({
  paths: z.record(z.string(), z.record(z.string(), z.object({ security: z.array(z.unknown()) }))),
});

type As = keyof typeof tokens | "nobody" | "wrong";

async function call(as: As, method: string, path: string, { query, body }: Sent = {}): Promise<Response> {
  const token = as === "wrong" ? "rubbish" : as === "nobody" ? undefined : tokens[as];
  return fetch(`${server.url}${path}${query === undefined ? "" : `?${query}`}`, {
    method: method.toUpperCase(),
    headers: {
      "content-type": "application/json",
      accept: "application/json, text/event-stream",
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
}

async function made<Body>(schema: z.ZodType<Body>, path: string, body: object): Promise<Body> {
  const response = await call("ada", "post", path, { body });
  return schema.parse(await response.json());
}

async function prepare(): Promise<Fixture> {
  const metadata = { mark: MARK };
  const Thread = z.object({ thread_id: z.string() });
  const { thread_id } = await made(Thread, "/threads", { metadata });
  const { assistant_id } = await made(z.object({ assistant_id: z.string() }), "/assistants", {
    graph_id: "asking",
    name: MARK,
    metadata,
  });
  await made(z.unknown(), `/threads/${thread_id}/runs/wait`, { assistant_id, input: { text: MARK } });
  const runs = await call("ada", "get", `/threads/${thread_id}/runs`);
  const [run] = z.array(z.object({ run_id: z.string() })).parse(await runs.json());
  const state = await call("ada", "get", `/threads/${thread_id}/state`);
  const { checkpoint } = z
    .object({ checkpoint: z.object({ checkpoint_id: z.string() }) })
    .parse(await state.json());
  const { cron_id } = await made(z.object({ cron_id: z.string() }), "/runs/crons", {
    assistant_id,
    schedule: "0 0 1 1 *",
    metadata,
  });
  const key = crypto.randomUUID();
  const item = { namespace: ["notes"], key, value: { text: MARK } };
  await call("ada", "put", "/store/items", { body: item });
  return { thread_id, run_id: run?.run_id ?? "", assistant_id, cron_id, key, ...checkpoint };
}

function filled(path: string, fixture: Fixture): string {
  const values: Readonly<Record<string, string>> = {
    ...fixture,
    namespace: "none",
    name: "none",
    token: "none",
  };
  return path.replaceAll(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(values[name] ?? ""));
}

/** What ada still has, as she sees it. */
async function possessions({ thread_id, run_id, assistant_id, cron_id, key }: Fixture): Promise<unknown> {
  const paths = [
    `/threads/${thread_id}`,
    `/threads/${thread_id}/state`,
    `/threads/${thread_id}/runs/${run_id}`,
    `/assistants/${assistant_id}`,
    `/runs/crons/${cron_id}`,
    `/store/items?namespace=notes&key=${key}`,
  ];
  return Promise.all(
    paths.map(async (path) => {
      const response = await call("ada", "get", path);
      return [path, response.status, await response.text()];
    }),
  );
}

/** The text of an answer; of a stream, nothing. */
async function textOf(response: Response): Promise<string> {
  if (response.headers.get("content-type")?.startsWith("text/event-stream") !== true) return response.text();
  await response.body?.cancel();
  return "";
}

beforeAll(async () => {
  vi.stubEnv("RESUME_LINK_SECRETS", "a-secret-of-the-tests-of-32-bytes-or-more");
  server = await start();
  tokens = { ada: await tokenOf("ada"), bob: await tokenOf("bob") };
});
afterAll(async () => {
  vi.unstubAllEnvs();
  await server[Symbol.asyncDispose]();
});

async function operations() {
  const { paths } = Document.parse(await (await call("ada", "get", "/openapi.json")).json());
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, { security }]) => ({ name: `${method} ${path}`, security })),
  );
}

test("each route of the document has its cases", async () => {
  const names = (await operations()).map(({ name }) => name);
  expect(names.toSorted()).toEqual(Object.keys(CASES).toSorted());
});

const PUBLIC = [
  ...["/health", "/info", "/ok", "/docs", "/docs/{name}"].map((path) => `get ${path}`),
  ...["get", "post"].map((method) => `${method} /resume/{token}`), // the link is the credential
];

test("only these routes take callers who have not signed in", async () => {
  const open = (await operations()).filter(({ security }) => security.length === 0);
  expect(open.map(({ name }) => name).toSorted()).toEqual(PUBLIC.toSorted());
});

describe.each(Object.entries(CASES))("%s", (name, { send, right = 200, other = 404 }) => {
  const [method = "", path = ""] = name.split(" ");

  test("lets in whom it is for, and nobody else", async () => {
    const fixture = await prepare();
    const sent = send?.(fixture) ?? {};
    const target = filled(path, fixture);
    const before = await possessions(fixture);
    for (const as of ["nobody", "wrong"] as const) {
      const response = await call(as, method, target, sent);
      const text = await textOf(response);
      expect([as, response.status]).toEqual([as, PUBLIC.includes(name) ? right : 401]);
      expect(text).not.toContain(MARK);
    }
    const byOther = await call("bob", method, target, sent);
    const otherText = await textOf(byOther);
    expect(["bob", byOther.status]).toEqual(["bob", other]);
    if (other >= 400 || !JSON.stringify(sent).includes(MARK)) expect(otherText).not.toContain(MARK);
    for (const id of Object.values(fixture))
      if (!target.includes(id) && !JSON.stringify(sent).includes(id)) expect(otherText).not.toContain(id);
    expect(await possessions(fixture)).toEqual(before);

    const byAda = await call("ada", method, target, sent);
    await textOf(byAda);
    expect(["ada", byAda.status]).toEqual(["ada", right]);
  });
});
