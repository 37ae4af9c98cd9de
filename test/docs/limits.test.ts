/** What docs/limits.md says of our own limits: what is at the limit is taken, what is over it is refused as it says. */

import { afterAll, beforeAll, expect, test } from "vitest";
import { shout } from "../support/graphs.ts";
import { readDocument, tableRows } from "../support/markdown.ts";
import { startServer, type Answer, type TestServer } from "../support/server.ts";

const rows = tableRows(await readDocument("docs/limits.md"));

let server: TestServer;
beforeAll(async () => {
  server = await startServer({ graphs: [{ name: "shout", graph: shout }] });
});
afterAll(async () => server[Symbol.asyncDispose]());

/** The figure, and the status of what is over it, as the document has them. */
function limitOf(row: string): { readonly limit: number; readonly status: number } {
  const cells = rows.get(row);
  const limit = /(?:1 to )?([\d,]{2,})/.exec(cells?.[1] ?? "")?.[1];
  const status = /\d{3}/.exec(cells?.at(-1) ?? "")?.[0];
  if (limit === undefined || status === undefined) throw new Error(`No limit or status in the row ${row}`);
  return { limit: Number(limit.replaceAll(",", "")), status: Number(status) };
}

const text = (length: number): string => "a".repeat(length);
const nested = (depth: number): object => (depth === 1 ? {} : { a: nested(depth - 1) });
const run = (fields: object): object => ({ assistant_id: "shout", input: { text: "a" }, ...fields });
const put = (path: string, body: object): Promise<Answer> =>
  server.post(path, body, {
    method: "PUT",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });

/** Sends what has this size. */
const requests: Readonly<Record<string, (size: number) => Promise<Answer>>> = {
  body: async (size) => server.post("/threads", `{"metadata":{"a":"${text(size - 21)}"}}`),
  "objects and lists in each other": async (size) => server.post("/threads", { metadata: nested(size) }),
  "members and items, of each member of the body": async (size) =>
    server.post("/threads", { metadata: { a: Array.from({ length: size - 1 }, () => 0) } }),
  "text of one message": async (size) => {
    const messages = [{ role: "user", content: text(size) }];
    return server.post("/runs/wait", run({ input: { text: "a", messages } }));
  },
  "`after_seconds`": async (size) => server.post("/runs", run({ after_seconds: size })),
  "runs in a batch, ids in a list": async (size) =>
    server.post("/threads/search", { ids: Array.from({ length: size }, () => "a") }),
  "page of a search or list": async (size) => server.post("/threads/search", { limit: size }),
  "name, description of an assistant": async (size) =>
    server.post("/assistants", { graph_id: "shout", name: text(size) }),
  "thread's and store item's time to live": async (size) => server.post("/threads", { ttl: { ttl: size } }),
  "webhook URL": async (size) =>
    server.post("/runs", run({ webhook: `https://example.com/${text(size - 20)}`, after_seconds: 9 })),
  "namespace (its labels with periods between), key": async (size) =>
    put("/store/items", { namespace: ["a"], key: text(size), value: {} }),
  query: async (size) => server.post("/store/items/search", { namespace_prefix: ["a"], query: text(size) }),
};

test.for(Object.entries(requests))("%s", async ([row, send]) => {
  const { limit, status } = limitOf(row);
  const refusal = /max|exceeds|at most|too|<=|longer/i;
  const at = await send(limit);
  expect(at.status === status && refusal.test(at.text)).toBe(false);
  const over = await send(limit + 1);
  expect([over.status, over.text.slice(0, 200)]).toEqual([status, expect.stringMatching(refusal)]);
});

test("a thread's id, through both APIs", async () => {
  const configurable = { thread_id: text(257) };
  const native = await server.post("/graphs/shout/invoke", { input: {}, config: { configurable } });
  const platform = await server.post("/threads", configurable);
  const [, , , refusal = ""] = rows.get("thread id") ?? [];
  expect([`\`${native.status}\``, `\`${platform.status}\``]).toEqual([refusal, refusal]);
});
