/** Graphs and clients that say something secret wherever they can, and a look at what the database has of it. */

import { randomBytes } from "node:crypto";
import {
  Annotation,
  interrupt,
  type LangGraphRunnableConfig,
  MessagesAnnotation,
  START,
  StateGraph,
} from "@langchain/langgraph";
import { expect, vi } from "vitest";
import type { TestDatabase } from "./database.ts";
import { asking, failing, shout } from "./graphs.ts";
import { allParts, clientOf } from "./sdk.ts";
import { startServer, type ServerOptions, type TestServer } from "./server.ts";

export const SECRET = "the-vault-opens-at-noon";
const newKey = (id: string): string => `${id}:${randomBytes(32).toString("base64")}`;
export const FIRST = newKey("first");
export const SECOND = newKey("second");

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

export async function serve(
  keys: string | undefined,
  options: Partial<ServerOptions> = {},
): Promise<TestServer> {
  vi.stubEnv("ENCRYPTION_KEYS", keys);
  try {
    const webhooks = { allowPrivateAddresses: true };
    return await startServer({ graphs, webhooks, ...options });
  } finally {
    vi.unstubAllEnvs();
  }
}

/** The columns, as `table.column`, that show the text to whoever reads the database. */
export async function columnsWith({ query }: TestDatabase, text: string): Promise<readonly string[]> {
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

const MODES = ["values", "updates", "custom", "tasks", "checkpoints"] as const;

/** Puts the secret wherever something can be put. */
export async function tellEverything(server: TestServer, webhook: string) {
  const client = clientOf(server);
  const { thread_id } = await client.threads.create();
  const input = { text: SECRET };
  const payload = {
    input,
    context: { said: SECRET },
    config: { configurable: { word: SECRET } },
    streamMode: [...MODES],
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
  await client.runs.join(failed, failure.run_id);
  // The answer comes with the error, a moment before the end is recorded.
  await vi.waitFor(async () => expect((await client.threads.get(failed)).status).toBe("error"), {
    timeout: 10_000,
  });
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
