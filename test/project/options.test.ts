import { projectApp, type Project } from "langgraph-functions/project";
import { serveLocally } from "langgraph-functions/local";
import { expect, test } from "vitest";
import { testDatabase } from "../support/database.ts";
import { shout } from "../support/graphs.ts";
import { startReceiver } from "../support/receiver.ts";
import { clientOf } from "../support/sdk.ts";

const graphs = { shout: { name: "graph", file: "./shout.ts", load: async () => ({ graph: shout }) } };
const input = { text: "a" };

async function serve(options: Project["options"], rest: Partial<Project> = {}) {
  const database = await testDatabase();
  const app = projectApp({ graphs, ...(options === undefined ? {} : { options }), ...rest });
  const server = await serveLocally(app, { port: 0, databaseUrl: database.url });
  return {
    url: server.url,
    client: clientOf(server),
    [Symbol.asyncDispose]: async () => {
      await server[Symbol.asyncDispose]();
      await database[Symbol.asyncDispose]();
    },
  };
}

test("threads that say nothing of how long they are kept have the project's time to live", async () => {
  await using server = await serve({ threads: { ttl: { default_ttl: 60, strategy: "keep_latest" } } });
  const { threads, runs } = server.client;
  const ttlOf = async (id: string): Promise<unknown> =>
    Reflect.get(await threads.get(id, { include: ["ttl"] }), "ttl");
  const ours = { ttl_minutes: 60, strategy: "keep_latest", expires_at: expect.any(String) };
  const { thread_id } = await threads.create();
  expect(await ttlOf(thread_id)).toEqual(ours);
  const own = await threads.create({ ttl: 5 });
  expect(await ttlOf(own.thread_id)).toMatchObject({ ttl_minutes: 5, strategy: "delete" });
  const made = crypto.randomUUID();
  await runs.wait(made, "shout", { input, ifNotExists: "create" });
  expect(await ttlOf(made)).toEqual(ours);
  await runs.wait(own.thread_id, "shout", { input });
  expect(await ttlOf(own.thread_id)).toMatchObject({ ttl_minutes: 5 }); // a run changes nothing about it
  const copied = await threads.copy(made);
  expect(await ttlOf(copied.thread_id)).toEqual(ours);
  const withState = await threads.create({
    graphId: "shout",
    supersteps: [{ updates: [{ values: input, asNode: "__start__" }] }],
  });
  expect(await ttlOf(withState.thread_id)).toEqual(ours);
});

test("a header of webhooks takes the place of a variable from the environment", async () => {
  await using receiver = await startReceiver();
  process.env["LG_WEBHOOK_KEY"] = "secret";
  const headers = { authorization: "Bearer ${{ env.LG_WEBHOOK_KEY }}", "x-from": "us" };
  await using server = await serve({ webhooks: { allowPrivateAddresses: true, headers } });
  await server.client.runs.wait(null, "shout", { input, webhook: `${receiver.url}/done` });
  const [received] = await receiver.after(1);
  expect(received?.headers).toMatchObject({ authorization: "Bearer secret", "x-from": "us" });
  expect(received?.body).toMatchObject({ status: "success", values: { text: "a!" } });
});

test("a variable that is not set keeps the app from being made", () => {
  const headers = { authorization: "${{ env.LG_WEBHOOK_NEVER_SET }}" };
  expect(() => projectApp({ graphs, options: { webhooks: { headers } } })).toThrow(
    "webhooks.headers.authorization: the environment variable LG_WEBHOOK_NEVER_SET is not set",
  );
});

test("where webhooks are turned off, a run that asks for one is refused", async () => {
  await using server = await serve({ webhooks: { enabled: false } });
  const { runs } = server.client;
  await expect(runs.create(null, "shout", { input, webhook: "https://example.com/" })).rejects.toThrow(
    "webhook: webhooks are turned off on this server",
  );
  expect(await runs.wait(null, "shout", { input })).toEqual({ text: "a!" });
});

test("what embeds is loaded with the first text that is embedded", async () => {
  const loaded: string[] = [];
  const embed = {
    name: "embed",
    file: "./embed.ts",
    load: async () => {
      loaded.push("embed");
      return { embed: async (texts: string[]) => texts.map(() => [1, 2]) };
    },
  };
  await using server = await serve({ store: { index: { dims: 3 }, ttl: { default_ttl: 5 } } }, { embed });
  const { store } = server.client;
  await store.putItem(["a"], "b", { text: "c" }, { index: false });
  expect(loaded).toEqual([]);
  await expect(store.searchItems(["a"], { query: "c" })).rejects.toThrow("The embedding function failed");
  expect(loaded).toEqual(["embed"]); // and its vectors are not of three numbers
});
