/** What can be asked of a thread. */

import type { AppWithUsers, Person } from "./users.ts";

/** A thread of ada's with a state; the id of its newest checkpoint. */
export async function adasThread(app: AppWithUsers, thread_id: string): Promise<string> {
  const ada = app.as("ada");
  await ada.ask("POST", "/threads", { thread_id, metadata: { topic: "adas" } });
  const run = { assistant_id: "shout", input: { text: "a" } };
  await ada.ask("POST", `/threads/${thread_id}/runs/wait`, run);
  const { body } = await ada.ask("GET", `/threads/${thread_id}/state`);
  return Reflect.get(Object(Reflect.get(Object(body), "checkpoint")), "checkpoint_id");
}

export type Operation = readonly [method: string, path: string, body?: unknown];

/** Everything that can be asked of one thread. */
export function operations(checkpoint_id: string): readonly Operation[] {
  return [
    ["GET", "/threads/ID"],
    ["GET", "/threads/ID?include=ttl"],
    ["PATCH", "/threads/ID", { metadata: { topic: "bobs" } }],
    ["PATCH", "/threads/ID", { ttl: { ttl: 1 } }],
    ["POST", "/threads/ID/copy"],
    ["GET", "/threads/ID/state"],
    ["GET", "/threads/ID/state?subgraphs=true"],
    ["POST", "/threads/ID/state", { values: { text: "bobs" } }],
    ["POST", "/threads/ID/state", { values: { text: "bobs" }, checkpoint_id }],
    ["PATCH", "/threads/ID/state", { metadata: { topic: "bobs" } }],
    ["POST", "/threads/ID/state/checkpoint", { checkpoint: { checkpoint_id } }],
    ["GET", `/threads/ID/state/${checkpoint_id}`],
    ["GET", "/threads/ID/history"],
    ["GET", "/threads/ID/storage"],
    ["POST", "/threads/ID/history", { limit: 1 }],
    ["GET", "/graphs/shout/threads/ID/state"],
    ["DELETE", "/threads/ID"],
  ];
}

export async function answers(
  person: Person,
  all: readonly Operation[],
  id: string,
): Promise<readonly unknown[]> {
  const found: unknown[] = [];
  for (const [method, path, body] of all) {
    const { status, text } = await person.ask(method, path.replace("ID", id), body);
    found.push([method, path, status, text.replaceAll(id, "ID")]);
  }
  return found;
}
