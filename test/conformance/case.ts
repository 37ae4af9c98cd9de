/** What the conformance suite does to both servers. */

import type { Client } from "@langchain/langgraph-sdk";

export interface CaseContext {
  readonly client: Client;
  readonly url: string;
  /** An id of the client's choice: the same for both servers, another for each case. */
  readonly id: (name: string) => string;
  /** What the official client would not send. */
  readonly send: (method: string, path: string, body?: unknown) => Promise<Response>;
}

export interface Case {
  readonly name: string;
  /** What it returns is compared, as is every exchange on its way. */
  readonly run: (context: CaseContext) => Promise<unknown>;
}

/** All that a stream says. */
export async function collect<T>(stream: AsyncIterable<T>): Promise<T[]> {
  const parts: T[] = [];
  for await (const part of stream) parts.push(part);
  return parts;
}

/** What went wrong, as the client reports it; only the status is the contract's. */
export async function failure(call: Promise<unknown>): Promise<unknown> {
  try {
    return { returned: await call };
  } catch (error) {
    if (error instanceof Error && "status" in error) return { failed: error.status };
    return { failed: String(error) };
  }
}

/** Until the run is over: asked again and again, of which nothing is written down. */
export async function ended({ url }: CaseContext, threadId: string, runId: string): Promise<void> {
  await fetch(`${url}/threads/${threadId}/runs/${runId}/join`).then(async (response) => response.text());
}

/** Until the run executes. */
export async function running({ url }: CaseContext, threadId: string, runId: string): Promise<void> {
  for (;;) {
    const response = await fetch(`${url}/threads/${threadId}/runs/${runId}`);
    const run: unknown = await response.json();
    if (typeof run === "object" && run !== null && "status" in run && run.status !== "pending") return;
  }
}
