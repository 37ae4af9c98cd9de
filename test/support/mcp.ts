/** The official client of the Model Context Protocol, against a server of ours. */

import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { CallToolResultSchema, type CallToolResult } from "@modelcontextprotocol/sdk/types.js";
import { shout } from "./graphs.ts";
import { startServer, type Answer, type ServerOptions, type TestServer } from "./server.ts";

export interface Connected extends AsyncDisposable {
  readonly client: Client;
  readonly call: (name: string, args?: Record<string, unknown>) => Promise<CallToolResult>;
}

export async function connect(
  { url }: { readonly url: string },
  headers: Readonly<Record<string, string>> = {},
): Promise<Connected> {
  const client = new Client({ name: "test", version: "1.0.0" });
  await client.connect(
    new StreamableHTTPClientTransport(new URL(`${url}/mcp`), { requestInit: { headers } }),
  );
  return {
    client,
    call: async (name, args) => {
      const params = { name, ...(args === undefined ? {} : { arguments: args }) };
      return CallToolResultSchema.parse(await client.callTool(params));
    },
    [Symbol.asyncDispose]: async () => client.close(),
  };
}

/** A server with a client; by default of one graph that shouts. */
export async function serve(
  options: Partial<ServerOptions> = {},
): Promise<Connected & { readonly server: TestServer }> {
  const server = await startServer({ graphs: [{ name: "shout", graph: shout }], ...options });
  const connected = await connect(server);
  return {
    server,
    ...connected,
    [Symbol.asyncDispose]: async () => {
      await connected[Symbol.asyncDispose]();
      await server[Symbol.asyncDispose]();
    },
  };
}

export function textOf({ content }: CallToolResult): string {
  return content.map((part) => (part.type === "text" ? part.text : "")).join("");
}

export const LIST = { jsonrpc: "2.0", id: 1, method: "tools/list" };
const HEADERS = { accept: "application/json, text/event-stream", "content-type": "application/json" };

export interface RawRequest {
  readonly headers?: Readonly<Record<string, string>>;
  readonly method?: string;
  readonly body?: unknown;
}

/** As a client that is not the official one may ask. */
export async function raw(
  server: TestServer,
  { headers = {}, method = "POST", body }: RawRequest,
): Promise<Answer> {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  const content = body === undefined ? {} : { body: text };
  return server.get("/mcp", { method, headers: { ...HEADERS, ...headers }, ...content });
}
