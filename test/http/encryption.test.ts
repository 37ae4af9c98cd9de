/** Encryption at rest, by what clients see and by what the database has. */

import { randomBytes } from "node:crypto";
import {
  Annotation,
  interrupt,
  type LangGraphRunnableConfig,
  MessagesAnnotation,
  START,
  StateGraph,
} from "@langchain/langgraph";
import { expect, test, vi } from "vitest";
import { countUnencrypted, reencrypt } from "../../src/encryption.ts";
import { readSettings } from "../../src/settings.ts";
import { testDatabase, type TestDatabase } from "../support/database.ts";
import { twoSteps } from "../support/deadline-host.ts";
import { asking, failing, shout } from "../support/graphs.ts";
import { startReceiver } from "../support/receiver.ts";
import { allParts, clientOf } from "../support/sdk.ts";
import { startServer, type ServerOptions, type TestServer } from "../support/server.ts";

const SECRET = "the-vault-opens-at-noon";
const newKey = (id: string): string => `${id}:${randomBytes(32).toString("base64")}`;
const FIRST = newKey("first");
const SECOND = newKey("second");

const Told = Annotation.Root({ text: Annotation<string>, seen: Annotation<unknown> });

/** Says what it is told in every way that a graph has. */
const talkative = new StateGraph(Told)
  .addNode("tell", async ({ text }, config: LangGraphRunnableConfig) => {
    config.writer?.({ note: text });
    await config.store?.put(["notes"], "from the graph", { text });
    return {
      text: `${text}!`,
      seen: { context: config.context, configurable: config.configurable?.["word"] },
    };
  })
  .addNode("ask", ({ text }) => ({ text: `${text} ${String(interrupt({ question: text }))}` }))
  .addEdge(START, "tell")
  .addEdge("tell", "ask")
  .compile();

const leaky = new StateGraph(MessagesAnnotation)
  .addNode("fail", () => {
    throw new Error(`it is said that ${SECRET}`);
  })
  .addEdge(START, "fail")
  .compile();

const graphs = [
  { name: "talkative", graph: talkative },
  { name: "leaky", graph: leaky },
  { name: "failing", graph: failing },
  { name: "asking", graph: asking },
  { name: "shout", graph: shout },
];

async function serve(keys: string | undefined, options: Partial<ServerOptions> = {}): Promise<TestServer> {
  vi.stubEnv("ENCRYPTION_KEYS", keys);
  try {
    const webhooks = { allowPrivateAddresses: true };
    return await startServer({ graphs, webhooks, ...options });
  } finally {
    vi.unstubAllEnvs();
  }
}

/** The columns, as `table.column`, that show the text to whoever reads the database. */
async function columnsWith({ query }: TestDatabase, text: string): Promise<readonly string[]> {
  const columns = await query(`
    select format('%I.%I', table_schema, table_name) as name, quote_ident(column_name) as column, data_type
    from information_schema.columns where table_schema in ('langgraph', 'public')`);
  const counts = columns.map(({ name, column, data_type }) => {
    const shown = data_type === "bytea" ? `encode(${String(column)}, 'escape')` : `${String(column)}::text`;
    const found = `exists (select from ${String(name)} where strpos(${shown}, $1) > 0)`;
    return `select '${String(name)}.${String(column)}' as name where ${found}`;
  });
  const found = await query(counts.join(" union all "), [text]);
  return found.map(({ name }) => String(name)).toSorted();
}

/** Puts the secret wherever something can be put. */
async function tellEverything(server: TestServer, webhook: string) {
  const client = clientOf(server);
  const { thread_id } = await client.threads.create();
  const input = { text: SECRET };
  const payload = {
    input,
    context: { said: SECRET },
    config: { configurable: { word: SECRET } },
    streamMode: ["values", "updates", "custom", "tasks", "checkpoints"] as ("values" | "custom")[],
    streamResumable: true,
  };
  const parts = await allParts(client.runs.stream(thread_id, "talkative", payload));
  const asked = await client.runs.create(thread_id, "talkative", {
    ...payload,
    webhook: `${webhook}/${SECRET}`,
  });
  await client.runs.join(thread_id, asked.run_id);
  const { thread_id: failed } = await client.threads.create();
  const failure = await client.runs.create(failed, "leaky", { input: { messages: [SECRET] } });
  await client.runs.join(failed, failure.run_id).catch(() => undefined);
  await client.threads.updateState(failed, { values: { messages: [SECRET] } });
  await client.runs.create(failed, "shout", { input, afterSeconds: 3_600, multitaskStrategy: "enqueue" });
  await client.crons.create("shout", { schedule: "0 0 1 1 *", input, context: { said: SECRET } });
  const assistant = await client.assistants.create({
    graphId: "talkative",
    config: { configurable: { word: SECRET } },
    name: "mine",
  });
  await client.assistants.update(assistant.assistant_id, {
    graphId: "talkative",
    config: { configurable: { word: `${SECRET} again` } },
  });
  await client.store.putItem(["notes"], "from a client", { text: SECRET });
  const { thread_id: made } = await client.threads.create({
    graphId: "shout",
    supersteps: [{ updates: [{ values: { text: SECRET }, asNode: "shout" }] }],
  });
  const copied = await client.threads.copy(thread_id);
  return { client, thread_id, parts, asked, failed, failure, assistant, made, copied };
}

test("what is said to graphs and what they say is nowhere in the database, and whoever may ask sees all of it", async () => {
  await using receiver = await startReceiver({ statuses: [500] });
  await using server = await serve(FIRST);
  const told = await tellEverything(server, receiver.url);
  await receiver.after(1);
  expect(await columnsWith(server.database, SECRET)).toEqual([]);

  const { client, thread_id, asked } = told;
  const state = await client.threads.getState(thread_id);
  expect(state.values).toMatchObject({
    text: `${SECRET}!`,
    seen: { context: { said: SECRET }, configurable: SECRET },
  });
  expect(JSON.stringify(await client.threads.getHistory(thread_id))).toContain(SECRET);
  const thread = await client.threads.get(thread_id);
  expect(thread.values).toMatchObject({ text: `${SECRET}!` });
  expect(JSON.stringify(thread.interrupts)).toContain(SECRET);
  const run = await client.runs.get(thread_id, asked.run_id);
  expect(run).toMatchObject({ kwargs: { input: { text: SECRET }, context: { said: SECRET } } });
  expect(receiver.received[0]).toMatchObject({
    path: `/${SECRET}`,
    body: { values: { text: `${SECRET}!` }, kwargs: { input: { text: SECRET } } },
  });
  expect(await client.runs.join(thread_id, asked.run_id)).toMatchObject({ text: `${SECRET}!` });
  expect(await client.store.getItem(["notes"], "from the graph")).toMatchObject({ value: { text: SECRET } });
  expect(await client.store.searchItems(["notes"])).toMatchObject({
    items: [{ value: { text: SECRET } }, { value: { text: SECRET } }],
  });
  expect(await client.assistants.get(told.assistant.assistant_id)).toMatchObject({
    config: { configurable: { word: `${SECRET} again` } },
  });
  const versions = await client.assistants.getVersions(told.assistant.assistant_id);
  expect(JSON.stringify(versions)).toContain(`"${SECRET}"`);
  expect(await client.crons.search()).toMatchObject([{ payload: { input: { text: SECRET } } }]);
  expect((await client.threads.getState(told.made)).values).toMatchObject({ text: SECRET });
  expect((await client.threads.getState(told.failed)).values).toBeDefined();
});

test("a stream that is joined later shows every event", async () => {
  await using server = await serve(FIRST);
  const client = clientOf(server);
  const { thread_id } = await client.threads.create();
  const run = await client.runs.create(thread_id, "talkative", {
    input: { text: SECRET },
    streamMode: ["values", "custom"],
    streamResumable: true,
  });
  await client.runs.join(thread_id, run.run_id);
  const later = await allParts(client.runs.joinStream(thread_id, run.run_id, { lastEventId: "0" }));
  expect(later.find(({ event }) => event === "custom")?.data).toEqual({ note: SECRET });
  expect(await columnsWith(server.database, SECRET)).toEqual([]);
});

test("a copy and a fork go on by themselves", async () => {
  await using server = await serve(FIRST);
  const client = clientOf(server);
  const { thread_id } = await client.threads.create();
  await client.runs.wait(thread_id, "talkative", { input: { text: SECRET } });
  const copy = await client.threads.copy(thread_id);
  expect(copy.values).toMatchObject({ text: `${SECRET}!` });
  const [newest, ...older] = await client.threads.getHistory(copy.thread_id);
  expect(newest?.values).toEqual((await client.threads.getState(thread_id)).values);
  await client.runs.wait(copy.thread_id, "talkative", { command: { resume: "yes" } });
  expect((await client.threads.get(copy.thread_id)).values).toMatchObject({ text: `${SECRET}! yes` });
  expect((await client.threads.get(thread_id)).status).toBe("interrupted");

  const start = older.find(({ next }) => next.includes("tell"));
  await client.runs.wait(copy.thread_id, "talkative", {
    checkpointId: start?.checkpoint.checkpoint_id ?? "",
  });
  expect((await client.threads.getState(copy.thread_id)).next).toEqual(["ask"]);
  await client.threads.prune([copy.thread_id], { strategy: "keep_latest" });
  expect((await client.threads.getState(copy.thread_id)).values).toMatchObject({ text: `${SECRET}!` });
  expect(await columnsWith(server.database, SECRET)).toEqual([]);
});

test("a search shows parts of values, and refuses to look for them, naming the field", async () => {
  await using server = await serve(FIRST);
  const client = clientOf(server);
  const { thread_id } = await client.threads.create({ metadata: { team: "a" } });
  await client.runs.wait(thread_id, "talkative", { input: { text: "hello" } });
  const found = await server.post("/threads/search", {
    metadata: { team: "a" },
    select: ["values"],
    extract: { said: "values.text", gone: "values.none.at.all", team: "metadata.team" },
  });
  expect(found.body).toEqual([
    {
      values: expect.objectContaining({ text: "hello!" }),
      extracted: { said: "hello!", gone: null, team: "a" },
    },
  ]);
  for (const path of ["/threads/search", "/threads/count"]) {
    const refused = await server.post(path, { values: { text: "hello!" } });
    expect([refused.status, refused.text]).toEqual([422, expect.stringContaining("values: ")]);
  }
  await client.store.putItem(["a"], "b", { kind: "c" });
  const refused = await server.post("/store/items/search", {
    namespace_prefix: ["a"],
    filter: { kind: "c" },
  });
  expect([refused.status, refused.text]).toEqual([422, expect.stringContaining("filter: ")]);
});

test("what was stored before encryption was switched on stays readable, and is encrypted when it changes", async () => {
  await using plain = await serve(undefined);
  const client = clientOf(plain);
  const { thread_id } = await client.threads.create();
  await client.runs.wait(thread_id, "talkative", { input: { text: SECRET } });
  await client.store.putItem(["notes"], "old", { text: SECRET });
  const old = await columnsWith(plain.database, SECRET);
  expect(old).toEqual(
    expect.arrayContaining([
      "langgraph.runs.kwargs",
      'langgraph.threads."values"',
      "public.checkpoint_blobs.blob",
    ]),
  );

  await using server = await serve(FIRST, { local: { databaseUrl: plain.database.url } });
  const later = clientOf(server);
  expect((await later.threads.getState(thread_id)).values).toMatchObject({ text: `${SECRET}!` });
  expect(await later.store.getItem(["notes"], "old")).toMatchObject({ value: { text: SECRET } });
  await later.runs.wait(thread_id, "talkative", { command: { resume: "yes" } });
  expect((await later.threads.get(thread_id)).values).toMatchObject({ text: `${SECRET}! yes` });
  await later.store.putItem(["notes"], "old", { text: SECRET });
  const copy = await later.threads.copy(thread_id);
  await later.threads.delete(thread_id);
  await later.store.deleteItem(["notes"], "from the graph");
  expect(await columnsWith(plain.database, SECRET)).toEqual([]);
  expect((await later.threads.getState(copy.thread_id)).values).toMatchObject({ text: `${SECRET}! yes` });
});

test("a new key in front of the old one encrypts; without the old one, its data is an error that names the key", async () => {
  await using first = await serve(FIRST);
  const { database } = first;
  const local = { databaseUrl: database.url };
  const { thread_id } = await clientOf(first).threads.create();
  await clientOf(first).runs.wait(thread_id, "talkative", { input: { text: "old" } });

  await using rotated = await serve(`${SECOND}, ${FIRST}`, { local });
  const client = clientOf(rotated);
  expect((await client.threads.getState(thread_id)).values).toMatchObject({ text: "old!" });
  const { thread_id: newer } = await client.threads.create();
  await client.runs.wait(newer, "talkative", { input: { text: "new" } });

  for (const keys of [SECOND, undefined]) {
    await using other = await serve(keys, { local });
    const ids = keys === undefined ? [thread_id, newer] : [thread_id];
    for (const id of ids) {
      for (const path of [`/threads/${id}`, `/threads/${id}/state`]) {
        const failed = await other.get(path);
        expect([path, failed.status]).toEqual([path, 500]);
        expect(failed.text).not.toMatch(/aes256gcm|first|second/);
      }
    }
    const logged = other.errors.map(({ fields }) => String(Object(fields).err?.cause ?? Object(fields).err));
    expect(logged.join()).toContain(keys === undefined ? "second" : "first");
    if (keys !== undefined)
      expect((await clientOf(other).threads.getState(newer)).values).toMatchObject({ text: "new!" });
  }
});

test.each([
  ["langgraph.threads", '"values"', "/threads/{a}"],
  ["langgraph.store_items", "value", "/store/items?namespace=ns&key=a"],
  ["langgraph.runs", "kwargs", "/threads/{a}/runs"],
  ["public.checkpoint_blobs", "blob", "/threads/{a}/state"],
])("contents of %s that somebody has moved to another row do not open", async (table, column, path) => {
  await using server = await serve(FIRST);
  const client = clientOf(server);
  for (const id of ["a", "b"]) {
    await client.threads.create({ threadId: id });
    await client.runs.wait(id, "shout", { input: { text: id } });
    await client.store.putItem(["ns"], id, { text: id });
  }
  const asked = path.replace("{a}", "a");
  expect((await server.get(asked)).status).toBe(200);
  const id = table === "langgraph.store_items" ? "key" : "thread_id";
  const same = table === "public.checkpoint_blobs" ? "and t.channel = o.channel and t.channel = 'text'" : "";
  await server.database.query(`
    update ${table} t set ${column} = o.${column} from ${table} o where t.${id} <> o.${id} ${same}`);
  const failed = await server.get(asked);
  expect([failed.status, failed.text]).toEqual([500, expect.not.stringContaining("aes256gcm")]);
});

test("bits that were flipped are found out", async () => {
  await using server = await serve(FIRST);
  const client = clientOf(server);
  await client.threads.create({ threadId: "a" });
  await client.runs.wait("a", "shout", { input: { text: "a" } });
  await server.database.query("update checkpoint_blobs set blob = set_bit(blob, 99, 1 - get_bit(blob, 99))");
  expect((await server.get("/threads/a/state")).status).toBe(500);
  expect((await server.get("/threads/a")).status).toBe(200);
});

test("everything is put under a new key while servers go on, and the old one can go", async () => {
  await using receiver = await startReceiver({ statuses: [500, 500, 204] });
  await using database = await testDatabase();
  const local = { databaseUrl: database.url };
  const threads = [];
  for (const keys of [undefined, FIRST]) {
    await using server = await serve(keys, { local });
    threads.push(await tellEverything(server, receiver.url));
  }
  await receiver.after(2);

  {
    await using server = await serve(`${SECOND},${FIRST}`, { local });
    const client = clientOf(server);
    const work = async (): Promise<void> => {
      for (let run = 1; run <= 10; run += 1) {
        await client.runs.wait(null, "shout", { input: { text: SECRET } });
        await client.store.putItem(["notes"], "from a client", { text: SECRET, run });
      }
    };
    const settings = readSettings({ DATABASE_URL: database.url, ENCRYPTION_KEYS: `${SECOND},${FIRST}` });
    const tables = new Map<string, number>();
    const [, , left] = await Promise.all([
      work(),
      work(),
      reencrypt(settings, ({ table, count }) => void tables.set(table, count)).then(async () =>
        countUnencrypted(settings),
      ),
    ]);
    expect([...left.values()]).toEqual(Array.from(tables, () => 0));
    const empty = [...tables].flatMap(([table, count]) => (count === 0 ? [table] : []));
    expect(empty).toEqual([]);
    for (const text of [SECRET, "aes256gcm:first:"])
      expect([text, await columnsWith(database, text)]).toEqual([text, []]);
  }

  await using last = await serve(SECOND, { local });
  const reader = clientOf(last);
  for (const { thread_id, asked, made, copied, assistant } of threads) {
    expect((await reader.threads.getState(thread_id)).values).toMatchObject({ text: `${SECRET}!` });
    expect(JSON.stringify(await reader.threads.getHistory(copied.thread_id))).toContain(SECRET);
    expect((await reader.threads.getState(made)).values).toMatchObject({ text: SECRET });
    expect((await reader.threads.get(thread_id)).values).toMatchObject({ text: `${SECRET}!` });
    expect(await reader.runs.join(thread_id, asked.run_id)).toMatchObject({ text: `${SECRET}!` });
    expect(await reader.assistants.get(assistant.assistant_id)).toMatchObject({
      config: { configurable: { word: `${SECRET} again` } },
    });
  }
  expect(await reader.crons.search()).toMatchObject(
    Array.from({ length: 2 }, () => ({ payload: { input: { text: SECRET } } })),
  );
  expect(await reader.store.getItem(["notes"], "from a client")).toMatchObject({ value: { text: SECRET } });
  await database.query("update langgraph.webhooks set due_at = now() - interval '1 hour'");
  for (const { body } of (await receiver.after(4)).slice(2))
    expect(body).toMatchObject({ values: { text: `${SECRET}!` }, kwargs: { input: { text: SECRET } } });
});

test("who goes on with a run elsewhere repeats nothing of what it has streamed", async () => {
  await using database = await testDatabase();
  const { graph, attempts } = twoSteps();
  const options = { graphs: [{ name: "steps", graph }], local: { databaseUrl: database.url } };
  const asked = {
    input: { text: SECRET },
    streamMode: ["values", "updates"] as "values"[],
    streamResumable: true,
  };
  let run_id = "";
  {
    await using server = await serve(FIRST, options);
    await clientOf(server).threads.create({ threadId: "t" });
    ({ run_id } = await clientOf(server).runs.create("t", "steps", asked));
    await vi.waitFor(() => expect(attempts()).toBe(1), { timeout: 20_000 });
  }
  await using server = await serve(FIRST, options);
  const parts = await allParts(clientOf(server).runs.joinStream("t", run_id, { lastEventId: "0" }));
  expect(attempts()).toBe(2);
  expect(parts.flatMap(({ event, data }) => (event === "values" ? [data] : []))).toEqual([
    { text: SECRET },
    { text: `${SECRET} first` },
    { text: `${SECRET} first second` },
  ]);
  expect(parts.filter(({ event }) => event === "updates")).toHaveLength(2);
  expect(await columnsWith(database, SECRET)).toEqual([]);
});

test("a cron, a webhook and a run that do not open keep nothing else from its turn", async () => {
  await using receiver = await startReceiver({ statuses: [500, 204] });
  await using database = await testDatabase();
  const local = { databaseUrl: database.url };
  const soon = { schedule: "0 0 1 1 *", input: { text: SECRET }, onRunCompleted: "keep" } as const;
  {
    await using server = await serve(FIRST, { local });
    const client = clientOf(server);
    await client.crons.create("shout", soon);
    await client.runs.wait(null, "shout", { input: { text: SECRET }, webhook: receiver.url });
    await receiver.after(1);
    await client.threads.create({ threadId: "t" });
    await client.runs.create("t", "shout", { input: { text: SECRET }, afterSeconds: 3_600 });
  }
  await using server = await serve(SECOND, { local });
  const client = clientOf(server);
  const { cron_id } = await client.crons.create("shout", soon);
  await database.query("update langgraph.crons set next_run_date = now() - interval '1 minute'");
  await database.query("update langgraph.webhooks set due_at = now() - interval '1 hour'");
  await database.query(`
    update langgraph.runs set status = 'running', claims = 9, attempt = 9, lease_id = gen_random_uuid(),
      lease_until = now() - interval '1 minute', due_at = now() where thread_id = 't'`);
  await vi.waitFor(
    async () => {
      const fired = await database.query(
        "select status from langgraph.runs where metadata ->> 'cron_id' = $1",
        [cron_id],
      );
      expect(fired).toEqual([{ status: "success" }]);
      expect(await database.query("select status from langgraph.runs where thread_id = 't'")).toEqual([
        { status: "error" },
      ]);
      expect(
        await database.query("select due_at > now() as later, last_error from langgraph.webhooks"),
      ).toEqual([{ later: true, last_error: expect.stringContaining('under the key "first"') }]);
    },
    { timeout: 20_000, interval: 50 },
  );
  expect(receiver.received).toHaveLength(1);
  expect(server.warnings.map(({ message }) => message)).toContainEqual(
    expect.stringMatching(/^A cron made no run: .*under the key "first"/),
  );
});
