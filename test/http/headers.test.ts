import { expect, test } from "vitest";
import { z } from "zod";
import { reporting } from "../support/graphs.ts";
import { startReceiver } from "../support/receiver.ts";
import { startServer, type ServerOptions } from "../support/server.ts";

const graphs = [{ name: "reporting", graph: reporting }];
const body = { assistant_id: "reporting", input: { text: "hi" } };
const secrets = {
  authorization: "Bearer secret",
  cookie: "session=secret",
  "x-api-key": "secret",
  "x-functions-key": "secret",
  "x-service-key": "secret",
  "x-tenant-id": "secret",
  "x-auth-token": "secret",
  "x-ms-token-aad-id-token": "secret",
  "x-ms-client-principal": "secret",
  "x-amzn-oidc-data": "secret",
};
const plain = {
  "x-user-id": "ada",
  "X-Trace": "1",
  "user-agent": "test",
  accept: "*/*",
  "content-language": "en",
};
const Values = z.object({ report: z.object({ configurable: z.record(z.string(), z.unknown()) }) });

/** What the graph finds of the headers in its config. */
async function seen(options: Partial<ServerOptions>): Promise<Record<string, unknown>> {
  await using server = await startServer({ graphs, ...options });
  const headers = { "content-type": "application/json", ...secrets, ...plain };
  const { body: values } = await server.post("/runs/wait", body, { headers });
  const { configurable } = Values.parse(values).report;
  return Object.fromEntries(
    Object.entries(configurable).filter(([name]) => /^x-|-/.test(name) || name in secrets),
  );
}

test("graphs find the x- headers and the user agent in their config, and no credentials", async () => {
  expect(await seen({})).toEqual({ "x-user-id": "ada", "x-trace": "1", "user-agent": "test" });
});

test("headers can be left out, and others taken in; a credential only by its full name", async () => {
  const configurableHeaders = {
    includes: ["content-*", "*", "Authorization"],
    excludes: ["x-t*e", "user-agent", "accept*", "host", "connection", "sec-*"],
  };
  expect(await seen({ configurableHeaders })).toEqual({
    authorization: "Bearer secret",
    "content-language": "en",
    "content-length": expect.any(String),
    "content-type": "application/json",
    "x-user-id": "ada",
  });
});

/** JSON without what the graph itself has made of the headers. */
function withoutReport(text: string): string {
  return JSON.stringify(JSON.parse(text), (key, value: unknown) => (key === "report" ? undefined : value));
}

test("headers are for the graph alone: no run, state, stream or webhook shows them", async () => {
  await using receiver = await startReceiver();
  await using server = await startServer({ graphs, webhooks: { allowPrivateAddresses: true } });
  const headers = { "content-type": "application/json", "x-note": "for the graph" };
  const quiet = { ...body, webhook: receiver.url, if_not_exists: "create" };
  const created = await server.post("/threads/one/runs", quiet, { headers });
  const { run_id } = z.object({ run_id: z.string() }).parse(created.body);
  const stream_mode = ["debug", "events", "checkpoints", "tasks", "messages"];
  const streamed = await server.post("/threads/one/runs/stream", { ...quiet, stream_mode }, { headers });
  const answers = [
    created,
    await server.get(`/threads/one/runs/${run_id}`),
    await server.get("/threads/one/runs"),
  ];
  const [told] = await receiver.after(2);
  const texts = [...answers.map(({ text }) => text), withoutReport(told?.text ?? "")];
  for (const text of texts) expect(text).not.toContain("for the graph");
  const state = await server.get("/threads/one/state");
  expect(
    Values.parse(z.object({ values: z.unknown() }).parse(state.body).values).report.configurable,
  ).toMatchObject({
    "x-note": "for the graph",
  });
  const saved = await server.database.query("select metadata::text from public.checkpoints");
  expect(JSON.stringify(saved)).not.toContain("for the graph");
  const frames = streamed.text.split("\n").filter((line) => line.startsWith("data: "));
  expect(frames.length).toBeGreaterThan(5);
  const shown = frames.map((line) => withoutReport(line.slice(6)));
  expect(shown.filter((line) => line.includes("for the graph"))).toEqual([]);
});

test("what a request says in its body does not go over its headers", async () => {
  await using server = await startServer({ graphs });
  const headers = { "content-type": "application/json", "x-user-id": "ada" };
  const config = { configurable: { "x-user-id": "eve", theme: "dark" } };
  const { body: values } = await server.post("/runs/wait", { ...body, config }, { headers });
  expect(Values.parse(values).report.configurable).toMatchObject({ "x-user-id": "ada", theme: "dark" });
});
