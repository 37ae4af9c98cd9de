import { Client } from "@langchain/langgraph-sdk";

/** The official client, without its retries: what fails is to be seen. */
export function clientOf({ url }: { readonly url: string }): Client {
  return new Client({ apiUrl: url, callerOptions: { maxRetries: 0 } });
}

export interface Part {
  readonly event: string;
  readonly data: unknown;
  readonly id?: string;
}

export async function allParts(parts: AsyncIterable<Part>): Promise<Part[]> {
  const found: Part[] = [];
  for await (const part of parts) found.push(part);
  return found;
}

/** The names of the events, without what differs from run to run. */
export function eventNames(parts: readonly Part[]): readonly string[] {
  return parts.map(({ event }) => event.replaceAll(/:[0-9a-f-]{36}/g, ":id"));
}
