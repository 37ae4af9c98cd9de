/** Encryption at rest, by what clients see and by what the database has. */

import { entrypoint } from "@langchain/langgraph";
import { expect, test, vi } from "vitest";
import { testDatabase } from "../support/database.ts";
import { twoSteps } from "../support/deadline-host.ts";
import { columnsWith, FIRST, SECRET, serve, tellEverything } from "../support/encryption.ts";
import { startReceiver } from "../support/receiver.ts";
import { makeLink, open, settled, submit } from "../support/resume-links.ts";
import { allParts, clientOf } from "../support/sdk.ts";

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

test("what a resume link says is for those who have it, and not for those who have the database", async () => {
  vi.stubEnv("RESUME_LINK_SECRETS", "a-secret-that-signs-links-to-answer-by");
  await using server = await serve(FIRST);
  const client = clientOf(server);
  const { thread_id } = await client.threads.create();
  await client.runs.wait(thread_id, "talkative", { input: { text: "hello" } });
  const choices = [{ label: `say ${SECRET}`, response: SECRET }];
  const link = await makeLink(server, { message: `please: ${SECRET}`, choices }, thread_id);
  const [, token = ""] = link.url.split("/resume/");
  for (const text of [SECRET, token]) expect(await columnsWith(server.database, text)).toEqual([]);
  const shown = await open(link, { accept: "application/json" });
  expect(shown.body).toMatchObject({ message: `please: ${SECRET}`, choices });
  expect((await submit(link, { choice: "0" })).status).toBe(202);
  expect(await settled(server, thread_id)).toMatchObject({ text: `hello! ${SECRET}` });
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

test("who goes on with a run elsewhere repeats nothing of what it has streamed", async () => {
  await using database = await testDatabase();
  const STEP_MODES = ["values", "updates"] as const;
  const { graph, attempts } = twoSteps();
  const options = { graphs: [{ name: "steps", graph }], local: { databaseUrl: database.url } };
  const asked = {
    input: { text: SECRET },
    streamMode: [...STEP_MODES],
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

test.each([[FIRST], [undefined]])(
  "a text that looks encrypted comes back as it went, with the keys %s",
  async (keys) => {
    const repeat = entrypoint("repeat", async (text: string) => text);
    await using server = await serve(keys, { graphs: [{ name: "repeat", graph: repeat }] });
    const client = clientOf(server);
    for (const text of ["aes256gcm:first:AAAA", "aes256gcm::", "aes256gcm:"]) {
      const { thread_id } = await client.threads.create();
      const run = { assistant_id: "repeat", input: text };
      expect((await server.post(`/threads/${thread_id}/runs/wait`, run)).body).toBe(text);
      expect((await client.threads.get(thread_id)).values).toBe(text);
      expect((await client.runs.list(thread_id))[0]).toMatchObject({ kwargs: { input: text } });
    }
  },
);
