/** An HTTP client that costs as little as possible: what it takes is counted to whom it calls. */

import { once } from "node:events";
import { Agent, request, type IncomingMessage } from "node:http";

const agent = new Agent({ keepAlive: true });

/** @throws Error for a status that is no success */
export async function post(url: string, body: unknown): Promise<unknown> {
  return JSON.parse(await text(await send("POST", url, body))) as unknown;
}

export async function get(url: string): Promise<unknown> {
  return JSON.parse(await text(await send("GET", url))) as unknown;
}

/** Milliseconds until the first frame of a stream that is no comment; resolves when the stream has ended. */
export async function firstEvent(url: string, body: unknown): Promise<number> {
  const start = performance.now();
  const response = await send("POST", url, body);
  let ms: number | undefined;
  let received = "";
  for await (const chunk of response.setEncoding("utf8")) {
    received += String(chunk);
    if (received.includes("data: ")) ms ??= performance.now() - start;
  }
  if (ms === undefined || received.includes("event: error")) throw new Error(`${url}: ${received}`);
  return ms;
}

async function send(method: string, url: string, body?: unknown): Promise<IncomingMessage> {
  const sent = body === undefined ? undefined : JSON.stringify(body);
  const headers =
    sent === undefined
      ? {}
      : { "content-type": "application/json", "content-length": Buffer.byteLength(sent) };
  const outgoing = request(url, { method, agent, headers });
  outgoing.setNoDelay(true);
  outgoing.end(sent);
  const [response]: IncomingMessage[] = await once(outgoing, "response");
  if (response === undefined) throw new Error(`${url}: no answer`);
  if ((response.statusCode ?? 500) < 300) return response;
  throw new Error(`${method} ${url}: ${response.statusCode} ${await text(response)}`);
}

async function text(response: IncomingMessage): Promise<string> {
  let received = "";
  for await (const chunk of response.setEncoding("utf8")) received += String(chunk);
  return received;
}
