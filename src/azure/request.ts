/** Between the HTTP of `@azure/functions` and the web's own. */
import { validateHeaderValue } from "node:http";
import type { HttpRequest, HttpResponseInit } from "@azure/functions";

/** The original URL, with the host's route prefix; the body is streamed. */
export function toWebRequest(request: HttpRequest): Request {
  const { method, headers } = request;
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- Node's and the DOM's types of one class
  const body = request.body as BodyInit | null;
  const init = { method, headers, body, duplex: "half" }; // required with a stream, unknown to the DOM's types
  return new Request(request.url, init);
}

/**
 * Everything of a response but its body and cookies, which go their own way.
 * @throws TypeError for what the library would only trip over once it is too late to answer anything else.
 */
export function toAzureResponse({ status, headers }: Response): HttpResponseInit {
  if (status === 0) throw new TypeError("Response.error() is no answer");
  const kept = new Headers(headers);
  kept.delete("set-cookie");
  for (const [name, value] of kept) validateHeaderValue(name, value);
  return { status, headers: kept };
}

/**
 * Where the client's connection comes from: the last hop of `x-forwarded-for`, which Azure's front end adds with its port.
 * What stands before it is the client's own claim. Undefined on a developer's machine, where no front end is.
 */
export function clientAddress({ headers }: HttpRequest): string | undefined {
  const hop = headers.get("x-forwarded-for")?.split(",").at(-1)?.trim();
  if (!hop) return undefined;
  return /^\[(.+)\](?::\d+)?$/.exec(hop)?.[1] ?? /^([^:]+):\d+$/.exec(hop)?.[1] ?? hop;
}
