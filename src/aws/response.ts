/** From the web's own responses to the answers of Lambda. */

import { isUtf8 } from "node:buffer";
import { validateHeaderValue } from "node:http";
import { isVersion2, type HttpEvent, type HttpResult } from "./events.ts";

/** What goes before a streamed body. */
export interface Prelude {
  readonly statusCode: number;
  readonly headers: Record<string, string>;
  readonly cookies: string[];
}

/** @throws TypeError for what a front would only trip over once it is too late to answer anything else. */
export function assertSendable({ status, headers }: Response): void {
  if (status === 0) throw new TypeError("Response.error() is no answer");
  for (const [name, value] of headers) validateHeaderValue(name, value);
}

export function toPrelude(response: Response, isEmpty: boolean): Prelude {
  const { status } = response;
  const prelude = {
    statusCode: status,
    headers: headersOf(response),
    cookies: response.headers.getSetCookie(),
  };
  // A Function URL does not end the chunks of an empty stream, and its clients wait for that.
  // https://github.com/aws/aws-lambda-nodejs-runtime-interface-client/issues/95
  if (isEmpty && status !== 204 && status !== 304) prelude.headers["content-length"] = "0";
  return prelude;
}

/** The whole answer at once, in the payload format of the event. */
export function toResult(event: HttpEvent, response: Response, bytes: Buffer): HttpResult {
  const isBase64Encoded = !isUtf8(bytes);
  const body = bytes.toString(isBase64Encoded ? "base64" : "utf8");
  const answer = { statusCode: response.status, body, isBase64Encoded };
  const headers = headersOf(response);
  const cookies = response.headers.getSetCookie();
  if (isVersion2(event)) return { ...answer, headers, cookies };
  // A load balancer takes only the kind of headers that it sends; the single kind has room for one cookie.
  if (!event.multiValueHeaders)
    return { ...answer, headers: { ...headers, ...(cookies[0] && { "set-cookie": cookies[0] }) } };
  const multiValueHeaders = Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name, [value]]),
  );
  return {
    ...answer,
    multiValueHeaders: { ...multiValueHeaders, ...(cookies.length > 0 && { "set-cookie": cookies }) },
  };
}

/** Without the cookies, which go their own way. */
function headersOf(response: Response): Record<string, string> {
  return Object.fromEntries([...response.headers].filter(([name]) => name !== "set-cookie"));
}
