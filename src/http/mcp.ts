/**
 * The Model Context Protocol: assistants as tools for other agents. Streamable HTTP, without sessions, so that any
 * instance answers any request. @see https://modelcontextprotocol.io/specification/2025-11-25/basic/transports
 */

import type { McpDeps } from "./mcp-server.ts";
import { z } from "zod";
import { StreamEvent } from "./event-docs.ts";
import type { AnswerDocs, Route } from "./router.ts";

const Message = z
  .looseObject({
    jsonrpc: z.literal("2.0"),
    id: z.union([z.string(), z.number()]).optional(),
    method: z.string().optional(),
  })
  .meta({ description: "A message of JSON-RPC, as the Model Context Protocol has it." });

const Refusal = z.looseObject({
  jsonrpc: z.literal("2.0"),
  error: z.looseObject({ code: z.number(), message: z.string() }),
  id: z.null(),
});

/** The protocol's own, or what is refused before it is asked. */
function refusal(description: string): AnswerDocs {
  return { description, schema: z.union([Refusal, z.object({ error: z.string(), detail: z.string() })]) };
}

/** A GET, for what the server says unasked, and a DELETE, for a session, are refused: there is neither. */
export function mcpRoutes(deps: McpDeps): readonly Route[] {
  return [
    {
      method: "POST",
      path: "/mcp",
      permission: "assistants:search",
      authLevel: deps.authLevel,
      isRateLimited: true,
      docs: {
        operationId: "mcp",
        summary: "Call assistants as tools, by the Model Context Protocol",
        tag: "mcp",
        body: Message,
        responses: {
          200: {
            description: "The answer",
            contentType: "text/event-stream",
            schema: StreamEvent,
            others: { "application/json": Message },
          },
          202: { description: "A notification was taken" },
          400: refusal("The body is no message of JSON-RPC, or the protocol's version is not known"),
          401: "A function key is missing, or the caller has not signed in",
          403: "The function key does not open this, or the caller may not do it",
          406: refusal("The Accept header does not name both application/json and text/event-stream"),
          413: refusal("The body is over its limit"),
          415: refusal("The body is not JSON"),
          429: "Too many requests; see Retry-After",
        },
      },
      handle: async (call) => {
        await call.caller.authorize("assistants:search", {}); // whatever is asked for is about tools
        const { answerMcp } = await import("./mcp-server.ts");
        return answerMcp(deps, call);
      },
    },
  ];
}
