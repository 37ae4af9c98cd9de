/** Mounts an app in a framework of Node's: Express, Fastify, Koa, or a plain server. */

import type { IncomingMessage } from "node:http";
import type { Invocation } from "../core/model.ts";
import { nodeListener, type Listener } from "../node-listener.ts";

export interface MountedApp {
  readonly fetch: (request: Request, invocation: Partial<Invocation>) => Promise<Response>;
}

/**
 * Takes requests and answers as Node has them. Nothing must have read the request's body before, and its address must be
 * the whole one, with the prefix. `invocationOf` says what the framework has found out: who the caller is (`user`), and
 * which function keys they would have (`authLevel`).
 */
export function nodeHandler<Incoming extends IncomingMessage = IncomingMessage>(
  app: MountedApp,
  invocationOf: (incoming: Incoming) => Partial<Invocation> = () => ({}),
): Listener<Incoming> {
  return nodeListener(async (request, incoming) => {
    const { remoteAddress } = incoming.socket;
    const known = remoteAddress === undefined ? {} : { address: remoteAddress };
    return app.fetch(request, { ...known, ...invocationOf(incoming) });
  });
}
