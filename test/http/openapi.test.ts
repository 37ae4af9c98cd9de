import { Validator } from "@seriousme/openapi-schema-validator";
import { createParser } from "eventsource-parser";
import { expect, onTestFinished, test, vi } from "vitest";
import { z } from "zod";
import { asking, counter, shout } from "../support/graphs.ts";
import { ask, makeLink, open, respond, settled, startAsking, submit } from "../support/resume-links.ts";
import { allRoutes } from "./all-routes.ts";
import { type Answer, startServer, type TestServer } from "../support/server.ts";

const inputSchema = z.object({
  text: z.string().min(1).meta({ description: "What to say" }),
  times: z.int().default(1),
});
const outputSchema = z.object({ text: z.string().endsWith("!") });
const graphs = [
  { name: "shout", graph: shout, inputSchema, outputSchema },
  { name: "counter", graph: counter, authLevel: "anonymous" as const },
  { name: "asking", graph: asking, authLevel: "admin" as const },
];

/** The part of a document that the tests look at. */
const Document = z.object({
  openapi: z.string(),
  info: z.object({ title: z.string(), description: z.string() }),
  paths: z.record(
    z.string(),
    z.record(
      z.string(),
      z.object({
        operationId: z.string(),
        security: z.array(z.record(z.string(), z.array(z.string()))),
        requestBody: z.object({ content: z.record(z.string(), z.object({ schema: z.json() })) }).optional(),
        responses: z.record(
          z.string(),
          z.object({ content: z.record(z.string(), z.object({ schema: z.json() })).default({}) }),
        ),
      }),
    ),
  ),
});

/** The document without references, as a validator that is not ours reads it. */
async function readDocument(server: TestServer) {
  const validator = new Validator();
  const { status, body } = await server.get("/openapi.json");
  expect(status).toBe(200);
  expect(await validator.validate(z.record(z.string(), z.unknown()).parse(body))).toMatchObject({
    valid: true,
  });
  expect(validator.version).toBe("3.1");
  return Document.parse(validator.resolveRefs());
}

type OpenApi = Awaited<ReturnType<typeof readDocument>>;

function eventsIn(text: string): readonly object[] {
  const events: object[] = [];
  createParser({ onEvent: ({ event, data }) => void events.push({ event, data }) }).feed(text);
  return events;
}

/** The answer is one that the document promises. */
function expectConforming(
  document: OpenApi,
  [method, path]: readonly [string, string],
  answer: Answer,
): void {
  const content = document.paths[path]?.[method]?.responses[String(answer.status)]?.content;
  const schema = content?.[answer.headers.get("content-type")?.split(";")[0] ?? ""]?.schema;
  expect(schema, `${method} ${path} ${answer.status}`).toBeDefined();
  const isStream = answer.headers.get("content-type") === "text/event-stream";
  const parser = z.fromJSONSchema(Object(schema));
  const shape = isStream ? z.array(parser).min(1) : parser; // of a stream, each event is described
  const result = shape.safeParse(isStream ? eventsIn(answer.text) : (answer.body ?? answer.text));
  expect([method, path, answer.status, result.error?.issues]).toEqual([
    method,
    path,
    answer.status,
    undefined,
  ]);
}

test("the document is valid OpenAPI 3.1, and has the app's title", async () => {
  await using server = await startServer({ graphs, title: "Agents", description: "Ours." });
  const document = await readDocument(server);
  expect(document).toMatchObject({ openapi: "3.1.0", info: { title: "Agents", description: "Ours." } });
});

test("the document has every route, and each operation a name of its own", async () => {
  await using server = await startServer({ graphs });
  const { paths } = await readDocument(server);
  const routes = Object.entries(paths).flatMap(([path, operations]) =>
    Object.keys(operations).map((method) => `${method} ${path}`),
  );
  expect(routes.sort()).toEqual(allRoutes(graphs));

  const ids = Object.values(paths).flatMap((operations) =>
    Object.values(operations).map(({ operationId }) => operationId),
  );
  expect(new Set(ids).size).toBe(routes.length);
});

test("what the document names is there", async () => {
  await using server = await startServer({ graphs });
  const { paths } = await readDocument(server);
  for (const [path, operations] of Object.entries(paths)) {
    const method = "put" in operations ? "PATCH" : "PUT";
    const elsewhere = await server.get(path.replaceAll(/[{}]/g, ""), { method });
    expect([path, elsewhere.status, elsewhere.headers.get("allow")]).toEqual([
      path,
      405,
      Object.keys(operations).join(", ").toUpperCase(),
    ]);
  }
});

test("a graph's schemas are in its operations, as the client sees them", async () => {
  await using server = await startServer({ graphs });
  const { paths } = await readDocument(server);
  const operation = paths["/graphs/shout/invoke"]?.["post"];
  expect(operation?.requestBody?.content["application/json"]?.schema).toMatchObject({
    properties: {
      input: {
        properties: {
          text: { type: "string", description: "What to say" },
          times: { type: "integer", default: 1 },
        },
        required: ["text"],
      },
    },
  });
  const answer = JSON.stringify(operation?.responses["200"]?.content["application/json"]?.schema);
  expect(answer).toMatch(/"output":.*"text":\{[^}]*"type":"string"[^}]*\}\},"required":\["text"\]/);
});

test("an operation asks for a key as its level does", async () => {
  await using server = await startServer({ graphs });
  const { paths } = await readDocument(server);
  const security = (path: string) => Object.values(paths[path] ?? {}).map((operation) => operation.security);
  const key = [{ functionKey: [] }, { functionKeyInQuery: [] }];
  expect(security("/graphs/shout/invoke")).toEqual([key]);
  expect(security("/graphs/asking/stream")).toEqual([key]);
  expect(security("/graphs/counter/invoke")).toEqual([[]]);
  expect(security("/health")).toEqual([[]]);
  expect(security("/health/details")).toEqual([key]);
  expect(security("/status")).toEqual([key]);
});

test("answers are as the document says", async () => {
  await using server = await startServer({
    graphs,
    local: { keys: { function: "function-key", admin: "admin-key" } },
  });
  const headers = { "content-type": "application/json", "x-functions-key": "admin-key" };
  const withKey = { ...server, get: async (path: string) => server.get(path, { headers }) };
  const document = await readDocument(withKey);
  const thread = { configurable: { thread_id: "t" } };
  const hi = { messages: ["hi"] };
  const check = async (graph: string, door: string, body: unknown, key = "admin-key") => {
    const path = `/graphs/${graph}/${door}`;
    const answer = await server.post(path, body, { headers: { ...headers, "x-functions-key": key } });
    expectConforming(document, ["post", path], answer);
    return answer.status;
  };
  expect([
    await check("shout", "invoke", { input: { text: "a" }, config: thread }),
    await check("counter", "invoke", { input: hi, config: { configurable: { thread_id: "c" } } }),
    await check("counter", "stream", { input: hi }),
    await check("asking", "invoke", { input: { text: "a" } }),
    await check("shout", "invoke", "{"),
    await check("shout", "invoke", {}, "wrong"),
    await check("asking", "invoke", {}, "function-key"),
    await check("counter", "invoke", { input: { messages: ["x".repeat(10_001)] } }),
    await check("shout", "invoke", { input: {} }),
  ]).toEqual([200, 200, 200, 200, 400, 401, 403, 413, 422]);

  const state = "/graphs/counter/threads/{thread_id}/state";
  for (const [path, at] of [
    [state, state.replace("{thread_id}", "c")],
    [state, state.replace("{thread_id}", "never")],
    [state, state.replace("{thread_id}", "%C3%BC")],
    ["/health", "/health"],
    ["/health/details", "/health/details"],
    ["/openapi.json", "/openapi.json"],
    ["/status", "/status"],
    ["/status/summary", "/status/summary"],
  ] as const) {
    expectConforming(document, ["get", path], await server.get(at, { headers }));
  }
});

test("answers about threads are as the document says", async () => {
  await using server = await startServer({ graphs, authLevel: "anonymous" });
  const document = await readDocument(server);
  const config = { configurable: { thread_id: "t" } };
  await server.post("/graphs/shout/invoke", { input: { text: "a" }, config });
  const get = async (path: string, documented: string) =>
    expectConforming(document, ["get", documented], await server.get(path));
  const post = async (path: string, documented: string, body: unknown) =>
    expectConforming(document, ["post", documented], await server.post(path, body));
  const thread = "/threads/{thread_id}";
  await post("/threads", "/threads", {});
  await post("/threads", "/threads", { thread_id: "t" });
  await post("/threads/search", "/threads/search", {});
  await post("/threads/search", "/threads/search", { select: ["status"] });
  await post("/threads/search", "/threads/search", { colour: 1 });
  await post("/threads/count", "/threads/count", {});
  await post("/threads/prune", "/threads/prune", { thread_ids: [] });
  await get("/threads/t", thread);
  await get("/threads/u", thread);
  await post("/threads/t/copy", `${thread}/copy`, {});
  await post("/threads/t/state", `${thread}/state`, { values: { text: "b" } });
  await get("/threads/t/state", `${thread}/state`);
  await get("/threads/t/history", `${thread}/history`);
  await post("/threads/t/history", `${thread}/history`, {});
  await get("/threads/t/state/nowhere", `${thread}/state/{checkpoint_id}`);
  await post("/threads/t/state/checkpoint", `${thread}/state/checkpoint`, { checkpoint: {} });
});

test("answers about assistants are as the document says", async () => {
  await using server = await startServer({ graphs, authLevel: "anonymous" });
  const document = await readDocument(server);
  const one = "/assistants/{assistant_id}";
  const get = async (part: string, documented = part) =>
    expectConforming(
      document,
      ["get", `${one}${documented}`],
      await server.get(`/assistants/counter${part}`),
    );
  const post = async (path: string, documented: string, body: unknown) =>
    expectConforming(document, ["post", documented], await server.post(path, body));
  await post("/assistants", "/assistants", { graph_id: "counter" });
  await post("/assistants", "/assistants", { graph_id: "nothing" });
  await post("/assistants/search", "/assistants/search", {});
  await post("/assistants/search", "/assistants/search", { select: ["name"] });
  await post("/assistants/count", "/assistants/count", {});
  await post("/assistants/counter/versions", `${one}/versions`, {});
  await post("/assistants/counter/latest", `${one}/latest`, { version: 1 });
  await post("/assistants/counter/latest", `${one}/latest`, { version: 2 });
  await get("");
  await get("/graph");
  await get("/schemas");
  await get("/subgraphs");
  await get("/subgraphs/none", "/subgraphs/{namespace}");
  const changed = await server.get("/assistants/counter", { method: "PATCH", body: "{}" });
  expectConforming(document, ["patch", one], changed);
  const deleted = await server.get("/assistants/counter", { method: "DELETE" });
  expectConforming(document, ["delete", one], deleted);
});

test("an interrupted run's answer is as the document says, though the graph has an output schema", async () => {
  await using server = await startServer({ graphs: [{ name: "asking", graph: asking, outputSchema }] });
  const answer = await server.post("/graphs/asking/invoke", { input: { text: "a" } });
  expect(answer.text).toContain("__interrupt__");
  expectConforming(await readDocument(server), ["post", "/graphs/asking/invoke"], answer);
});

test("schemas that JSON Schema has no words for do not take the document away", async () => {
  const odd = z.object({
    when: z.coerce.date(),
    big: z.bigint().optional(),
    map: z.map(z.string(), z.number()).optional(),
    length: z.string().transform((text) => text.length),
    own: z.custom<string>(() => true),
  });
  await using server = await startServer({
    graphs: [{ name: "shout", graph: shout, inputSchema: odd, outputSchema: odd }],
  });
  expect((await readDocument(server)).paths).toHaveProperty(["/graphs/shout/invoke"]);
});

test("two graphs may have schemas of the same id", async () => {
  const one = z.object({ text: z.string() }).meta({ id: "Input" });
  const other = z.object({ text: z.number() }).meta({ id: "Input" });
  await using server = await startServer({
    graphs: [
      { name: "one", graph: shout, inputSchema: one },
      { name: "other", graph: shout, inputSchema: other },
    ],
  });
  expect((await server.get("/openapi.json")).status).toBe(200);
});

test("answers about resume links are as the document says, as JSON and as pages", async () => {
  vi.stubEnv("RESUME_LINK_SECRETS", "s".repeat(32));
  onTestFinished(() => void vi.unstubAllEnvs());
  await using server = await startAsking({ authLevel: "anonymous" });
  const document = await readDocument(server);
  const make = async (thread: string, body: object, status: number) => {
    const answer = await server.post(`/threads/${thread}/resume-links`, body);
    expect(answer.status).toBe(status);
    expectConforming(document, ["post", "/threads/{thread_id}/resume-links"], answer);
  };
  await make("nobody", {}, 404);
  await ask(server);
  await make("t", { colour: 1 }, 422);
  await make("t", { interrupt_id: "x" }, 409);
  await make("t", { choices: [{ label: "Yes", response: [null] }], message: "hi" }, 200);
  const link = await makeLink(server);
  const forged = { url: `${server.url}/resume/x` };
  for (const [method, answer, status] of [
    ["get", await open(link), 200],
    ["get", await open(link, { accept: "application/json" }), 200],
    ["get", await open(forged), 404],
    ["get", await open(forged, { accept: "application/json" }), 404],
    ["post", await submit(link, ""), 422],
    ["post", await respond(link, undefined), 422],
    ["post", await submit(link, { text: "yes" }), 202],
    ["post", await respond(link, "yes"), 410],
    ["post", await submit(link, { text: "yes" }), 410],
  ] as const) {
    expect(answer.status).toBe(status);
    expectConforming(document, [method, "/resume/{token}"], answer);
  }
  await settled(server);
  await make("t", {}, 409);
  const operation = document.paths["/resume/{token}"]?.["post"];
  expect(Object.keys(operation?.requestBody?.content ?? {})).toEqual([
    "application/json",
    "application/x-www-form-urlencoded",
  ]);
  expect(operation?.security).toEqual([]);
});
