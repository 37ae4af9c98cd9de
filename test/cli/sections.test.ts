/** The sections of langgraph.json that are options of the app. */

import { Client } from "@langchain/langgraph-sdk";
import { expect, test } from "vitest";
import { testDatabase } from "../support/database.ts";
import { clientOf } from "../support/sdk.ts";
import { cli, graphSource, startDev, testProject } from "./cli.ts";

const graphs = { agent: "./src/agent.ts:graph" };
const files = {
  "src/agent.ts": graphSource(
    `({ text }, { configurable }) => ({ text: text + " " + Object.keys(configurable).filter((key) => key.startsWith("x-")).sort().join() })`,
  ),
  "src/embed.ts": "export const embed = async (texts: string[]) => texts.map(() => [1]);\n",
};

test("store, checkpointer, webhooks and headers are as langgraph.json says", async () => {
  await using database = await testDatabase();
  await using project = await testProject();
  await project.write({
    ...files,
    ".env": "LG_WEBHOOK_KEY=secret\n",
    "langgraph.json": {
      graphs,
      env: ".env",
      store: {
        index: { dims: 2, embed: "./src/embed.ts:embed", fields: ["text"] },
        ttl: { default_ttl: 10, refresh_on_read: false, sweep_interval_minutes: 60 },
      },
      checkpointer: { ttl: { strategy: "keep_latest", default_ttl: 30, sweep_interval_minutes: 5 } },
      webhooks: {
        headers: { authorization: "Bearer ${{ env.LG_WEBHOOK_KEY }}" },
        url: {
          require_https: true,
          allowed_domains: ["*.example.com"],
          allowed_ports: [443],
          max_url_length: 60,
          disable_loopback: true,
        },
      },
      http: { configurable_headers: { includes: ["x-secret-token"], excludes: ["x-hidden"] } },
    },
  });
  await using program = await startDev({ folder: project, env: { DATABASE_URL: database.url } });
  expect(program.output()).toMatch(
    /without effect here, as each tick.*: store\.ttl\.sweep_interval_minutes, checkpointer\.ttl\.sweep_interval_minutes\n/,
  );
  const client = clientOf(program);
  const { thread_id } = await client.threads.create();
  expect(await client.threads.get(thread_id, { include: ["ttl"] })).toMatchObject({
    ttl: { ttl_minutes: 30, strategy: "keep_latest" },
  });

  const headers = { "x-secret-token": "a", "x-hidden": "b", "x-other": "c" };
  const withHeaders = new Client({ apiUrl: program.url, defaultHeaders: headers });
  const seen = await withHeaders.runs.wait(null, "agent", { input: { text: "with" } });
  expect(seen).toEqual({ text: "with x-other,x-secret-token" });

  const webhookError = async (webhook: string): Promise<unknown> =>
    client.runs.create(null, "agent", { input: {}, webhook }).catch(String);
  expect(await webhookError("http://a.example.com/")).toContain("expected an https URL");
  expect(await webhookError("https://other.com/")).toContain("the domain other.com is not among those");
  expect(await webhookError("https://a.example.com:444/")).toContain("the port 444 is not among those");
  expect(await webhookError(`https://a.example.com/${"a".repeat(60)}`)).toContain(
    "longer than 60 characters",
  );

  const { store } = client;
  await store.putItem(["a"], "b", { other: "c" });
  const [item] = await database.query("select ttl_minutes from langgraph.store_items");
  expect(item).toEqual({ ttl_minutes: 10 });
  await expect(store.searchItems(["a"], { query: "c" })).rejects.toThrow(/embedding function failed/); // of one number
});

const webhooks = { headers: { authorization: "${{ env.LG_WEBHOOK_MISSING }}" } };

test.for([
  [{ store: { path: "./s.ts:s" } }, "store.path: is not supported: the store is in the database"],
  [
    { store: { index: { dims: 2, embed: "openai:text-embedding-3-small" } } },
    'store.index.embed: must be like "./src',
  ],
  [{ store: { index: { dims: 2, embed: "./src/none.ts:embed" } } }, "store.index.embed cannot be loaded"],
  [
    { store: { index: { dims: 2, embed: "./src/embed.ts:none" } } },
    'the export "none" must be LangChain Embeddings',
  ],
  [{ store: { ttl: { default_ttl: 0 } } }, "store.ttl.default_ttl: must be a number of minutes above 0"],
  [
    { checkpointer: { path: "./c.ts:c" } },
    "checkpointer.path: is not supported: checkpoints are in the database",
  ],
  [{ checkpointer: { serde: {} } }, "checkpointer.serde: is not supported"],
  [
    { checkpointer: { ttl: { strategy: "archive" } } },
    'checkpointer.ttl.strategy: must be "delete" or "keep_latest"',
  ],
  [{ webhooks }, "webhooks.headers.authorization: the environment variable LG_WEBHOOK_MISSING is not set"],
  [{ webhooks: { ...webhooks, env_prefix: "HOOK_" } }, "LG_WEBHOOK_MISSING does not begin with HOOK_"],
  [{ webhooks: { url: { disable_loopback: false } } }, "webhooks.url.disable_loopback: must be true"],
  [{ webhooks: { url: { allowed_domains: ["https://a"] } } }, "webhooks.allowedDomains.0: Invalid"],
] as const)("%j is refused, and what is wrong in it named", async ([sections, message]) => {
  await using project = await testProject();
  await project.write({ ...files, "langgraph.json": { graphs, ...sections } });
  const env = { DATABASE_URL: "postgres://127.0.0.1:1/none" };
  const { code, output } = await cli({ folder: project, args: ["dev", "--no-reload"], env });
  expect(output).toContain(message);
  expect(code).toBe(1);
});

test("webhooks can be turned off", async () => {
  await using database = await testDatabase();
  await using project = await testProject();
  await project.write({ ...files, "langgraph.json": { graphs, http: { disable_webhooks: true } } });
  await using program = await startDev({ folder: project, env: { DATABASE_URL: database.url } });
  const { runs } = clientOf(program);
  await expect(runs.create(null, "agent", { input: {}, webhook: "https://a.example/" })).rejects.toThrow(
    "webhooks are turned off",
  );
});
