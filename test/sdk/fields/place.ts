/** Where the effects of request fields are looked at. */

import { randomUUID } from "node:crypto";
import type { Client } from "@langchain/langgraph-sdk";
import { reporter, sleeper, steps, nested, asker } from "../../conformance/graphs.ts";
import { failing, reporting } from "../../support/graphs.ts";
import { branching } from "../../support/drawn-graphs.ts";
import { nested as inside } from "../../support/nested-graph.ts";
import type { Receiver } from "../../support/receiver.ts";
import { clientOf } from "../../support/sdk.ts";
import type { TestServer } from "../../support/server.ts";

export interface Place {
  readonly client: Client;
  readonly server: TestServer;
  /** Takes webhooks. */
  readonly receiver: Receiver;
}

/** Fails when the field has no effect. */
export type Effect = (place: Place) => Promise<void>;
/** By the names of the fields, as they are sent. */
export type Effects = Readonly<Record<string, Effect>>;

export const GRAPHS = Object.entries({
  reporter,
  sleeper,
  steps,
  nested,
  asker,
  reporting,
  failing,
  branching,
  inside,
}).map(([name, graph]) => ({ name, graph }));

export function placeOf(server: TestServer, receiver: Receiver): Place {
  return { client: clientOf(server), server, receiver };
}

/** A name that nothing else has. */
export function fresh(): string {
  return randomUUID();
}

/** A thread that has run `steps`: its id. */
export async function stepped({ client }: Place): Promise<string> {
  const { thread_id } = await client.threads.create();
  await client.runs.wait(thread_id, "steps", { input: { text: "a" } });
  return thread_id;
}

/** The state of the thread after its first step, before its second. */
export async function middleOf({ client }: Place, threadId: string) {
  const [, middle] = await client.threads.getHistory(threadId);
  if (middle === undefined) throw new Error("There is no history");
  return middle;
}
