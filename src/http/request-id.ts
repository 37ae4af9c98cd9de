/** What a request is called: in the answer's header X-Request-Id, and in each line that is logged about it. */

import { AsyncLocalStorage } from "node:async_hooks";
import { randomUUID } from "node:crypto";
import type { Doors } from "../core/model.ts";
import type { LogWriter } from "../core/logger.ts";
import { changeable } from "./respond.ts";

const HEADER = "x-request-id";
const PRINTABLE_ASCII = /^[\x20-\x7e]{1,128}$/;

const current = new AsyncLocalStorage<string>();

/** The client's own id, else the host's, else a new one. Answers of custom routes that have one keep it. */
export function withRequestId(fetch: Doors["fetch"]): Doors["fetch"] {
  return async (request, invocation) => {
    const id = clientsId(request) ?? invocation.requestId ?? randomUUID();
    const response = changeable(await current.run(id, async () => fetch(request, invocation)));
    if (!response.headers.has(HEADER)) response.headers.set(HEADER, id);
    return response;
  };
}

/** Adds the id of the request that a line is about, as `request_id`. */
export function namingRequests(logger: LogWriter): LogWriter {
  const named = (fields: object): object => {
    const request_id = current.getStore();
    return request_id === undefined ? fields : { request_id, ...fields };
  };
  return {
    info: (fields, message) => logger.info(named(fields), message),
    warn: (fields, message) => logger.warn(named(fields), message),
    error: (fields, message) => logger.error(named(fields), message),
  };
}

/** For the calls of a host that are no requests, and whose log lines have the name that the host gives them. */
export async function duringRequest<T>(id: string | undefined, work: () => Promise<T>): Promise<T> {
  return id === undefined ? work() : current.run(id, work);
}

/** For work that a request has only caused. */
export function outsideRequests<T>(work: () => T): T {
  return current.exit(work);
}

function clientsId({ headers }: Request): string | undefined {
  const id = headers.get(HEADER);
  return id !== null && PRINTABLE_ASCII.test(id) ? id : undefined;
}
