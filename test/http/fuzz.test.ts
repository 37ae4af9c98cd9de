import * as fc from "fast-check";
import { expect, test } from "vitest";
import { z } from "zod";
import { allEvents } from "../support/events.ts";
import { counter, echo, pausing } from "../support/graphs.ts";
import { hostileText, hostileValue, messagesOf, oddText, oddValue } from "../support/hostile.ts";
import { startServer, type TestServer } from "../support/server.ts";

/** Change it to look elsewhere; a failure prints it with the path to the shortest case. */
const SEED = 20_261_121;

const inputSchema = z.object({
  value: z.array(z.number()).max(3).optional(),
  text: z.string().max(100).default("a"),
});
const graphs = [
  { name: "echo", graph: echo },
  { name: "counter", graph: counter },
  { name: "pausing", graph: pausing },
  { name: "checked", graph: echo, inputSchema },
  { name: "unstreamed", graph: echo, stream: false },
];

/** Few, so that threads are used again. */
const threadId = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom("t1", "t2", "t3", "t4/", "t5 ") },
  { weight: 1, arbitrary: hostileValue },
);

const mostly = (usual: fc.Arbitrary<unknown>) =>
  fc.oneof({ weight: 4, arbitrary: usual }, { weight: 1, arbitrary: hostileValue });

const input = fc.record(
  { value: oddValue, text: oddValue, messages: messagesOf(oddText) },
  { requiredKeys: [] },
);
const command = fc.record(
  { resume: oddValue, update: input, goto: fc.oneof(fc.constantFrom("echo", "ask", "count"), oddText) },
  { requiredKeys: [] },
);
const metadata = fc.dictionary(oddText, oddValue, { maxKeys: 3 });
const goodThreadId = fc.constantFrom("t1", "t2", "t3", "t4", "t5");
const goodConfig = fc.record(
  { configurable: fc.record({ thread_id: goodThreadId, user: oddValue }, { requiredKeys: [] }), metadata },
  { requiredKeys: [] },
);

/** What a server takes, but for its odd values. */
const oddBody = fc.oneof(
  { weight: 3, arbitrary: fc.record({ input, config: goodConfig, metadata }, { requiredKeys: ["input"] }) },
  { weight: 1, arbitrary: fc.record({ command, config: goodConfig }) },
);

const hostileBody = fc.record(
  {
    input: mostly(input),
    command: mostly(command),
    config: mostly(
      fc.record(
        {
          configurable: mostly(
            fc.record(
              {
                thread_id: threadId,
                checkpoint_id: hostileValue,
                checkpoint_ns: hostileValue,
                user: hostileValue,
              },
              { requiredKeys: [] },
            ),
          ),
          metadata: hostileValue,
          tags: mostly(fc.array(hostileText)),
          recursion_limit: fc.constantFrom(0, -1, 1.5, "25", 25, 1e9, null),
          max_concurrency: fc.constantFrom(0, 1, 1e9, "1"),
          run_name: hostileValue,
        },
        { requiredKeys: [] },
      ),
    ),
    metadata: mostly(fc.dictionary(hostileText, hostileValue)),
    stream_mode: mostly(fc.constantFrom("values", "updates", "messages", "custom", "debug")),
    unknown: hostileValue,
  },
  { requiredKeys: [] },
);

/** In each body one field or two are there, so that no fault hides behind another. */
const fewFields = fc
  .tuple(
    hostileBody,
    fc.subarray(["input", "command", "config", "metadata", "stream_mode", "unknown"], { minLength: 1 }),
  )
  .map(([body, fields]) =>
    Object.fromEntries(Object.entries(body).filter(([field]) => fields.includes(field))),
  );

const jsonBody = fc
  .oneof(
    { weight: 8, arbitrary: oddBody },
    { weight: 4, arbitrary: fewFields },
    { weight: 1, arbitrary: hostileValue },
  )
  .map((value) => JSON.stringify(value));

const body = fc.oneof(
  { weight: 12, arbitrary: jsonBody },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 200 }).map((bytes) => new Uint8Array(bytes)) },
  { weight: 1, arbitrary: fc.tuple(jsonBody, fc.nat(100)).map(([text, cut]) => text.slice(0, -1 - cut)) },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      "",
      "[".repeat(50_000),
      '{"input":{"value":1e999}}',
      '{"input":{"text":"a"},"input":7}',
    ),
  },
);

const graphName = fc.oneof(
  { weight: 8, arbitrary: fc.constantFrom("echo", "counter", "pausing", "checked") },
  { weight: 1, arbitrary: fc.constantFrom("unstreamed", "nobody", "__proto__") },
);
const segment = fc.oneof(
  threadId.map((id) =>
    encodeURIComponent(typeof id === "string" ? id.toWellFormed() : JSON.stringify(id).toWellFormed()),
  ),
  fc.constantFrom("%E0%A4%A", "%", "%00", "%2e%2e%2f", "..", ";", "%ff", "\\"),
);

const path = fc.oneof(
  {
    weight: 12,
    arbitrary: fc
      .tuple(graphName, fc.constantFrom("invoke", "stream"))
      .map(([name, door]) => `/graphs/${name}/${door}`),
  },
  {
    weight: 3,
    arbitrary: fc.tuple(graphName, segment).map(([name, id]) => `/graphs/${name}/threads/${id}/state`),
  },
  {
    weight: 2,
    arbitrary: fc
      .tuple(fc.constantFrom("", "/graphs", "/docs", "/health", "//graphs/echo/invoke"), segment)
      .map(([start, end]) => `${start}/${end}`),
  },
);

const methods = ["PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "PROPFIND", "GET", "POST"];

const request = fc.record({
  path,
  method: fc.oneof(
    { weight: 9, arbitrary: fc.constant(undefined) },
    { weight: 1, arbitrary: fc.constantFrom(...methods) },
  ),
  headers: fc.record(
    {
      "content-type": fc.constantFrom(
        "application/json",
        "text/plain",
        "multipart/form-data; boundary=x",
        "application/json; charset=utf-16",
        "",
      ),
      "content-encoding": fc.oneof(
        { weight: 9, arbitrary: fc.constant("identity") }, // all others are refused at the door
        { weight: 1, arbitrary: fc.constantFrom("gzip", "br", "nonsense") },
      ),
      accept: fc.constantFrom("text/html", "image/png", "*/*;q=x"),
      "x-functions-key": fc.string({ unit: "grapheme-ascii" }),
      "last-event-id": fc.string({ unit: "grapheme-ascii" }),
      traceparent: fc.constantFrom("00-0-0-0", "x"),
    },
    { requiredKeys: [] },
  ),
  body,
});

type Case = typeof request extends fc.Arbitrary<infer T> ? T : never;

/** Each graph has threads of its own: what one graph can keep may be nonsense to another. */
function onOwnThreads({ path, body, ...rest }: Case): Case {
  const graph = path.split("/")[2] ?? "";
  return {
    ...rest,
    path: path.replace(/threads\/(?=t\d)/, `threads/${graph}-`),
    body: typeof body === "string" ? body.replaceAll(/"thread_id":"(?=t\d)/g, `$&${graph}-`) : body,
  };
}

/** One error for each rule that the answer breaks. */
async function check(server: TestServer, { path, method, headers, body }: Case): Promise<void> {
  const verb = method ?? (/(invoke|stream)$/.test(path) ? "POST" : "GET");
  const signal = AbortSignal.timeout(10_000); // against a hang; an answer takes some milliseconds
  const init = { method: verb, headers, signal, ...(["GET", "HEAD"].includes(verb) ? {} : { body }) };
  const response = await fetch(`${server.url}${path}`, init);
  if (response.headers.get("content-type") === "text/event-stream") {
    const events = await allEvents(response);
    expect(events.at(-1)).toEqual({ event: "end", data: {} });
    const failures = events.filter(({ event }) => event === "error").map(({ data }) => data);
    for (const failure of failures)
      expect(failure).toEqual({ error: expect.stringMatching(/^(input|config|command): /) });
    return;
  }
  const text = await response.text();
  const isRightly501 = response.status === 501 && path === "/graphs/unstreamed/stream";
  expect(isRightly501 ? 501 : Math.max(response.status, 499), text).toBe(isRightly501 ? 501 : 499);
  if (verb === "HEAD") return;
  if (response.status < 400) return;
  expect(JSON.parse(text)).toEqual({ error: expect.stringMatching(/^[a-z_]+$/), detail: expect.any(String) });
}

test("no request breaks the server", async () => {
  await using server = await startServer({ graphs });
  await fc.assert(
    fc.asyncProperty(request.map(onOwnThreads), async (one) => check(server, one)),
    { numRuns: 1_000, seed: SEED, interruptAfterTimeLimit: 50_000, markInterruptAsFailure: true },
  );
  expect(server.errors).toEqual([]);
  expect(await server.database.query("select run_id from langgraph.runs where status = 'running'")).toEqual(
    [],
  );
  expect(
    await server.database.query("select thread_id from langgraph.threads where status = 'busy'"),
  ).toEqual([]);
  const [counts] = await server.database.query(
    "select count(*)::int as runs from langgraph.runs where status = 'success'",
  );
  expect(counts?.["runs"]).toBeGreaterThan(20); // the requests reached the graphs
  const config = { configurable: { thread_id: "afterwards" } };
  const answers = Array.from({ length: 10 }, async (_, index) =>
    server.post("/graphs/echo/invoke", { input: { text: index }, config: index === 0 ? config : null }),
  );
  for (const [index, answer] of (await Promise.all(answers)).entries()) {
    expect(answer.body).toEqual({ output: { text: index } });
  }
});
