import { LangGraphApp } from "langgraph-functions";
import { expect, test } from "vitest";
import { shout } from "../support/graphs.ts";
import { LIST, raw, serve, type RawRequest } from "../support/mcp.ts";
import { startServer } from "../support/server.ts";

test("where streams are buffered, the answer is JSON", async () => {
  await using mcp = await serve({ streaming: "buffered" });
  expect((await mcp.call("shout", { text: "a" })).structuredContent).toEqual({ text: "a!" });
  const listed = await raw(mcp.server, { body: LIST });
  expect(listed.headers.get("content-type")).toBe("application/json");
  expect(listed.body).toMatchObject({ id: 1, result: { tools: [{ name: "shout" }] } });
});

test("each request stands for itself, with a status that says what is wrong with it", async () => {
  await using server = await startServer({
    graphs: [{ name: "shout", graph: shout }],
    limits: { maxBodyBytes: 1_000 },
  });
  const listed = await raw(server, { body: LIST });
  expect(listed).toMatchObject({
    status: 200,
    text: expect.stringMatching(/^event: message\ndata: .*"shout"/),
  });
  expect(listed.headers.get("content-type")).toBe("text/event-stream");
  expect(listed.headers.get("mcp-session-id")).toBeNull();
  const status = async (request: RawRequest) => (await raw(server, request)).status;
  expect(await status({ body: { jsonrpc: "2.0", method: "notifications/initialized" } })).toBe(202);
  expect(await status({ body: LIST, headers: { accept: "application/json" } })).toBe(406);
  expect(await status({ body: LIST, headers: { accept: "text/event-stream" } })).toBe(406);
  expect(await status({ body: LIST, headers: { "content-type": "text/plain" } })).toBe(415);
  expect(await status({ body: "{" })).toBe(400);
  expect(await status({ body: { hello: "there" } })).toBe(400);
  expect(await status({ body: LIST, headers: { "mcp-protocol-version": "1999-01-01" } })).toBe(400);
  expect(await status({ body: { ...LIST, params: { cursor: "x".repeat(1_000) } } })).toBe(413);
  expect((await raw(server, { body: { ...LIST, method: "tools/whisper" } })).text).toContain('"code":-32601');
  for (const method of ["GET", "DELETE"]) {
    const refused = await raw(server, { method });
    expect(refused.status).toBe(405);
    expect(refused.headers.get("allow")).toBe("POST");
  }
});

test("a batch, which no limit counts, gets the answer to its first message", async () => {
  await using server = await startServer({ graphs: [{ name: "shout", graph: shout }] });
  const call = (id: number) => {
    const params = { name: "shout", arguments: { text: String(id) } };
    return { jsonrpc: "2.0", id, method: "tools/call", params };
  };
  const { text } = await raw(server, { body: [call(1), call(2), { ...LIST, id: 3 }] });
  expect(text.match(/"structuredContent"/g)).toHaveLength(1);
  expect(text.match(/"code":-32600/g)).toHaveLength(2);
});

test("without the app's key there is nothing to see", async () => {
  await using server = await startServer({
    graphs: [{ name: "shout", graph: shout }],
    local: { keys: { function: "function-key" } },
  });
  expect((await raw(server, { body: LIST })).status).toBe(401);
  expect((await raw(server, { body: LIST, headers: { "x-functions-key": "function-key" } })).status).toBe(
    200,
  );
});

test("where it is turned off, there is nothing", async () => {
  await using server = await startServer({ graphs: [{ name: "shout", graph: shout }], disable: ["mcp"] });
  expect((await raw(server, { body: LIST })).body).toMatchObject({ error: "not_found" });
  expect((await raw(server, { method: "GET" })).status).toBe(404);
});

test("without the database, an error tells nothing but that", async () => {
  await using app = new LangGraphApp({ authLevel: "anonymous" }).register({ name: "shout", graph: shout });
  const database = { url: "postgres://nobody@127.0.0.1:1/nowhere", poolSize: 1, migrate: false };
  app.doors({ settings: { database, logLevel: "silent" } });
  const headers = { accept: "application/json, text/event-stream", "content-type": "application/json" };
  const request = { method: "POST", headers, body: JSON.stringify(LIST) };
  const text = await (await app.fetch(new Request("http://localhost/api/mcp", request))).text();
  const [, data = "{}"] = /^data: (.*)$/m.exec(text) ?? [];
  expect(JSON.parse(data)).toEqual({
    jsonrpc: "2.0",
    id: 1,
    error: { code: -32603, message: expect.stringContaining("The database cannot be reached") },
  });
});
