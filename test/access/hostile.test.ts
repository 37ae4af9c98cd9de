/** What clients send never becomes an object of LangChain's, a secret, or a part of another object's prototype. */

import { Annotation, START, StateGraph } from "@langchain/langgraph";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { asking, echo } from "../support/graphs.ts";
import { startServer, type Answer, type TestServer } from "../support/server.ts";

const SECRET = "sk-never-to-be-told";

/** Makes its value from JSON text, as tools do with what they fetch. */
const parsing = new StateGraph(Annotation.Root({ value: Annotation<unknown>, text: Annotation<string> }))
  .addNode("parse", ({ text }) => (text === "" ? {} : { value: JSON.parse(text) as unknown }))
  .addEdge(START, "parse")
  .compile();

const graphs = [
  { name: "echo", graph: echo },
  { name: "asking", graph: asking },
  { name: "parsing", graph: parsing },
];

let server: TestServer;
let cron = "";
beforeAll(async () => {
  process.env["OPENAI_API_KEY"] = SECRET;
  server = await startServer({ graphs });
  await server.post("/graphs/echo/invoke", {
    input: { text: "a" },
    config: { configurable: { thread_id: "t" } },
  });
  await server.post("/graphs/asking/invoke", {
    input: { text: "a" },
    config: { configurable: { thread_id: "asking" } },
  });
  const made = await server.post("/runs/crons", { assistant_id: "echo", schedule: "0 0 1 1 *", input: {} });
  cron = String(Object(made.body)["cron_id"]);
});
afterAll(async () => {
  delete process.env["OPENAI_API_KEY"];
  await server[Symbol.asyncDispose]();
});

/** Each place where JSON of a client gets in, with what is sent there. */
type Door = readonly [place: string, request: string, body: (value: unknown) => object];

const thread = { configurable: { thread_id: "t" } };
const ofRuns = (path: string): readonly Door[] => [
  ["input", path, (value) => ({ assistant_id: "echo", input: { value } })],
  ["resume", path, (value) => ({ assistant_id: "echo", command: { resume: value } })],
  ["update", path, (value) => ({ assistant_id: "echo", command: { update: { value } } })],
  ["goto", path, (value) => ({ assistant_id: "echo", command: { goto: { node: "echo", input: value } } })],
  ["context", path, (value) => ({ assistant_id: "echo", input: {}, context: { value } })],
  [
    "configurable",
    path,
    (value) => ({ assistant_id: "echo", input: {}, config: { configurable: { value } } }),
  ],
  [
    "config.metadata",
    path,
    (value) => ({ assistant_id: "echo", input: {}, config: { metadata: { value } } }),
  ],
  ["metadata", path, (value) => ({ assistant_id: "echo", input: {}, metadata: { value } })],
];
const ofGraphs = (path: string): readonly Door[] => [
  ["input", path, (value) => ({ input: { value }, config: thread })],
  ["resume", path, (value) => ({ command: { resume: value }, config: thread })],
  ["update", path, (value) => ({ command: { update: { value } }, config: thread })],
  ["configurable", path, (value) => ({ input: {}, config: { configurable: { value } } })],
  ["metadata", path, (value) => ({ input: {}, metadata: { value } })],
];
const command = (method: string, params: (value: unknown) => object): Door => [
  method,
  "POST /threads/t/commands",
  (value) => ({ id: 1, method, params: params(value) }),
];
const rpc = (path: string, method: string, params: (value: unknown) => object): Door => [
  method,
  path,
  (value) => ({ jsonrpc: "2.0", id: 1, method, params: params(value) }),
];
const message = (part: object) => ({ message: { role: "user", messageId: "m", parts: [part] } });

const doors: readonly Door[] = [
  ...["invoke", "stream", "runs"].flatMap((door) => ofGraphs(`POST /graphs/echo/${door}`)),
  ...["", "/wait", "/stream"].flatMap((door) => [
    ...ofRuns(`POST /runs${door}`),
    ...ofRuns(`POST /threads/t/runs${door}`),
  ]),
  ...ofRuns("POST /runs/batch").map(([place, path, body]): Door => [place, path, (value) => [body(value)]]),
  ...ofRuns("POST /runs/crons").map(([place, path, body]): Door => [
    place,
    path,
    (value) => ({ ...body(value), schedule: "0 0 1 1 *" }),
  ]),
  ["input", "PATCH /runs/crons/{cron_id}", (value) => ({ input: { value } })],
  ["metadata", "PATCH /runs/crons/{cron_id}", (value) => ({ metadata: { value } })],
  ["metadata", "POST /runs/crons/search", (value) => ({ metadata: { value } })],
  ["metadata", "POST /threads", (value) => ({ metadata: { value } })],
  [
    "values of a superstep",
    "POST /threads",
    (value) => ({
      metadata: { graph_id: "echo" },
      supersteps: [{ updates: [{ values: { value }, as_node: "echo" }] }],
    }),
  ],
  [
    "command of a superstep",
    "POST /threads",
    (value) => ({
      metadata: { graph_id: "echo" },
      supersteps: [{ updates: [{ command: { update: { value } }, as_node: "echo" }] }],
    }),
  ],
  ["metadata", "POST /threads/search", (value) => ({ metadata: { value } })],
  ["values", "POST /threads/search", (value) => ({ values: { value } })],
  ["metadata", "PATCH /threads/t", (value) => ({ metadata: { value } })],
  ["metadata", "PATCH /threads/t/state", (value) => ({ metadata: { value } })],
  ["values", "POST /threads/t/state", (value) => ({ values: { value }, as_node: "echo" })],
  ["list of values", "POST /threads/t/state", (value) => ({ values: [{ value }], as_node: "echo" })],
  [
    "checkpoint",
    "POST /threads/t/state",
    (value) => ({ values: {}, checkpoint: { checkpoint_map: { value } } }),
  ],
  ["metadata", "POST /threads/t/history", (value) => ({ metadata: { value } })],
  ["config", "POST /assistants", (value) => ({ graph_id: "echo", config: { configurable: { value } } })],
  ["context", "POST /assistants", (value) => ({ graph_id: "echo", context: { value } })],
  ["metadata", "POST /assistants", (value) => ({ graph_id: "echo", metadata: { value } })],
  ["context", "PATCH /assistants/echo", (value) => ({ context: { value } })],
  ["value", "PUT /store/items", (value) => ({ namespace: ["a"], key: "b", value: { value } })],
  ["filter", "POST /store/items/search", (value) => ({ filter: { value } })],
  command("run.start", (value) => ({ assistant_id: "echo", input: { value } })),
  command("input.respond", (value) => ({ interrupt_id: "x", response: value })),
  command("state.fork", (value) => ({ checkpoint_id: "x", input: { value } })),
  rpc("POST /a2a/echo", "message/send", (value) => message({ kind: "data", data: { value } })),
  rpc("POST /mcp", "tools/call", (value) => ({ name: "echo", arguments: { value } })),
];

async function send([, request, body]: Door, value: unknown): Promise<Answer> {
  const [method = "", path = ""] = request.replace("{cron_id}", cron).split(" ");
  return server.get(path, {
    method,
    headers: { "content-type": "application/json", accept: "application/json, text/event-stream" },
    body: JSON.stringify(body(value)),
  });
}

const constructors: readonly object[] = [
  { lc: 1, type: "constructor", id: ["langchain", "chat_models", "ChatOpenAI"], kwargs: { model: "x" } },
  { lc: 1, type: "constructor", id: ["langchain_core", "prompts", "PromptTemplate"], kwargs: {} },
  { lc: 1, type: "secret", id: ["OPENAI_API_KEY"] },
  { lc: 1, type: "not_implemented", id: ["x"] },
  { lc: 2, type: "constructor", id: ["Error"], args: ["x"] },
  {
    lc: 1,
    type: "constructor",
    id: ["langchain_core", "messages", "AIMessage"],
    kwargs: {
      content: "",
      tool_calls: [{ id: "1", name: "x", args: { lc: 1, type: "secret", id: ["OPENAI_API_KEY"] } }],
    },
  },
];

describe.each(doors)("the %s of %s", (...door) => {
  test("takes no object in LangChain's own format, however deep", async () => {
    for (const value of constructors) {
      for (const sent of [value, [{ deep: value }]]) {
        const { status, text } = await send(door, sent);
        expect([status, text]).toEqual([
          expect.any(Number),
          expect.stringContaining("in LangChain's own format"),
        ]);
        expect(text).toMatch(/invalid_(request|argument)|"isError":true|-32602/);
        expect(text).not.toContain(SECRET);
      }
    }
  });

  test("takes no member named __proto__", async () => {
    const poisoned: unknown = JSON.parse('{"deep":{"__proto__":{"polluted":true}}}');
    const { text } = await send(door, poisoned);
    expect(text).toContain("a member named __proto__");
    expect({}).not.toHaveProperty("polluted");
  });

  test("pollutes nothing by way of constructor.prototype", async () => {
    const sent = { constructor: { prototype: { polluted: true } }, prototype: { polluted: true } };
    const { status, text } = await send(door, sent);
    expect([status < 500, text]).toEqual([true, text]);
    expect({}).not.toHaveProperty("polluted");
    expect(Object.prototype).not.toHaveProperty("polluted");
  });
});

test("a member named __proto__ is refused at the top of a body, too", async () => {
  const answer = await server.post("/threads/search", '{"__proto__":{"limit":1}}');
  expect([answer.status, answer.text]).toEqual([422, expect.stringContaining("__proto__")]);
});

test("what a client wrote is the same on another server that reads it from the database", async () => {
  const value = {
    constructor: { prototype: { a: 1 } },
    text: JSON.stringify(constructors[2]),
    type: "constructor",
    id: ["langchain"],
    kwargs: { $ne: 1 },
    __lc_escaped__: "x",
  };
  await server.post("/threads", { thread_id: "kept", metadata: { graph_id: "echo" } });
  await server.post("/threads/kept/state", { values: { value }, as_node: "echo" });
  await server.get("/store/items", {
    method: "PUT",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ namespace: ["kept"], key: "k", value }),
  });
  await using other = await startServer({ graphs, local: { databaseUrl: server.database.url } });
  const state = await other.get("/threads/kept/state");
  expect(state.body).toMatchObject({ values: { value } });
  const run = await other.post("/threads/kept/runs/wait", { assistant_id: "echo", input: { text: "b" } });
  expect(run.body).toEqual({ value, text: "b" });
  expect((await other.get("/store/items?namespace=kept&key=k")).body).toMatchObject({ value });
});

test("a graph that parses a client's text gets no secret from its own state", async () => {
  const text = JSON.stringify({ kept: constructors });
  const config = { configurable: { thread_id: "parsed" } };
  const first = await server.post("/graphs/parsing/invoke", { input: { text }, config });
  await using other = await startServer({ graphs, local: { databaseUrl: server.database.url } });
  const answers = [
    first,
    await other.get("/threads/parsed/state"),
    await other.get("/graphs/parsing/threads/parsed/state"),
    await other.post("/graphs/parsing/invoke", { input: { text: "" }, config }),
  ];
  for (const { text } of answers) expect(text).not.toContain(SECRET);
});

test.each([
  "' or 1=1; drop table langgraph.threads; --",
  "$[*] ? (@ == 1)",
  "a'::text; select pg_sleep(60); --",
  "%",
  "_",
  "\\",
  "{a,b}",
  '","x":"',
  "$(touch /tmp/hostile)",
])("the text %j is only a text, wherever it is searched for", async (text) => {
  const before = await server.database.query("select count(*) from langgraph.threads");
  const found = await Promise.all([
    server.post("/threads/search", { metadata: { [text]: text } }),
    server.post("/threads/search", { values: { [text]: [text] } }),
    server.post("/threads/search", { ids: [text] }),
    server.post("/threads/search", {
      limit: 1,
      extract: { [text]: `values.${text.replaceAll(/[.[\]]/g, "")}` },
    }),
    server.post("/assistants/search", { name: text, metadata: { [text]: text } }),
    server.post("/runs/crons/search", { metadata: { [text]: text } }),
    server.post("/store/items/search", {
      namespace_prefix: [text.replaceAll(".", "")],
      filter: { [text]: text },
    }),
    server.post("/store/items/search", { filter: { [text]: { $gt: text, $ne: text, $in: [text] } } }),
    server.post("/store/namespaces", { prefix: [text.replaceAll(".", "")], suffix: ["*"] }),
  ]);
  for (const { status, text: answer } of found) expect([status < 500, answer]).toEqual([true, answer]);
  for (const { body } of [found[0], found[2], found[4], found[5]].flatMap((one) => one ?? []))
    expect(body).toEqual([]);
  expect(await server.database.query("select count(*) from langgraph.threads")).toEqual(before);
});

test("an empty extract is no reason to fail, nor is a NUL in a search", async () => {
  expect((await server.post("/threads/search", { extract: {}, limit: 1 })).status).toBe(200);
  for (const path of ["/runs/crons/search", "/runs/crons/count", "/threads/search", "/assistants/search"])
    expect((await server.post(path, { metadata: { a: "\u0000" } })).status).toBe(422);
  for (const path of ["history?before=%00", "state/%00", "runs/%00", "history?select=values.%00"])
    expect([path, (await server.get(`/threads/t/${path}`)).status]).toEqual([path, 422]);
  expect((await server.get("/assistants/%00")).status).toBe(422);
  const cancel = await server.post("/runs/cancel", { thread_id: "\u0000", run_ids: [] });
  expect(cancel.status).toBe(422);
});

test.each([true, false])(
  "a thread that takes the id of a run's former one keeps what its runs stream (made before: %s)",
  async (isMade) => {
    const first = await server.post("/runs/wait", { assistant_id: "echo", input: { text: "a" } });
    const id = first.headers.get("content-location")?.split("/").at(-1) ?? "";
    if (isMade) expect((await server.post("/threads", { thread_id: id })).status).toBe(200);
    const asked = { assistant_id: "echo", input: { text: "b" }, if_not_exists: "create" };
    const second = await server.post(`/threads/${id}/runs/stream`, asked);
    const location = second.headers.get("location") ?? "";
    expect(second.text).toContain('"text":"b"');
    const again = await server.get(location);
    expect(again.text).toContain('"text":"b"');
    expect(again.text).not.toContain('"text":"a"');
  },
);
