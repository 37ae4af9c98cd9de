/**
 * Agents inside a server that you have already, behind its own sign-in: one process, one address, one session.
 *
 * Fastify checks who calls, as it does for its own routes; the app is told, and keeps what callers make apart.
 */

import Fastify, { type FastifyInstance, type FastifyRequest } from "fastify";
import { jwtVerify } from "jose";
import { LangGraphApp, type GraphOptions } from "langgraph-functions";
import { nodeHandler } from "langgraph-functions/node";

export interface EmbeddedOptions {
  readonly graphs: readonly GraphOptions[];
  /** Of the tokens that this server gives its users; at least 32 bytes. */
  readonly secret: Uint8Array;
}

export function embeddedServer({ graphs, secret }: EmbeddedOptions): FastifyInstance {
  const agents = new LangGraphApp({ auth: "host" }); // who comes without a user is refused
  for (const graph of graphs) agents.register(graph);

  const server = Fastify();
  server.decorateRequest("userId", "");
  server.addHook("onRequest", async (request, reply) => {
    try {
      request.userId = await userOf(request, secret);
    } catch {
      return reply.code(401).send({ error: "Sign in first" });
    }
  });

  server.get("/me", async ({ userId }) => ({ userId })); // a route of your own

  server.register(async (scope) => {
    // The app reads the bodies of its requests itself.
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser("*", (_request, _payload, done) => done(null));
    scope.all("/api/*", async ({ raw, userId }, reply) => {
      reply.hijack();
      const user = { identity: userId, display_name: userId, is_authenticated: true, permissions: [] };
      nodeHandler(agents, () => ({ user }))(raw, reply.raw);
    });
  });

  server.addHook("onClose", async () => agents[Symbol.asyncDispose]());
  return server;
}

async function userOf({ headers }: FastifyRequest, secret: Uint8Array): Promise<string> {
  const token = headers.authorization?.replace(/^Bearer /, "") ?? "";
  const { payload } = await jwtVerify(token, secret, {
    algorithms: ["HS256"],
    requiredClaims: ["sub", "exp"],
  });
  return payload.sub ?? "";
}

declare module "fastify" {
  interface FastifyRequest {
    userId: string;
  }
}
