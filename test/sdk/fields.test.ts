/** Each field that the official SDK can send has an effect, or is refused with a reason; none is accepted and ignored. */

import { readFile } from "node:fs/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startReceiver, type Receiver } from "../support/receiver.ts";
import { startServer, type TestServer } from "../support/server.ts";
import { assistantEffects } from "./fields/assistants.ts";
import { cronEffects } from "./fields/crons.ts";
import { GRAPHS, placeOf, type Effects } from "./fields/place.ts";
import { askingEffects } from "./fields/runs.ts";
import { runEffects } from "./fields/run-control.ts";
import { storeEffects } from "./fields/store.ts";
import { threadEffects } from "./fields/threads.ts";

const effects: Readonly<Record<string, Effects>> = {
  ...askingEffects,
  ...runEffects,
  ...threadEffects,
  ...assistantEffects,
  ...cronEffects,
  ...storeEffects,
};

let server: TestServer;
let receiver: Receiver;
beforeAll(async () => {
  receiver = await startReceiver();
  server = await startServer({ graphs: GRAPHS, webhooks: { allowPrivateAddresses: true } });
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await receiver[Symbol.asyncDispose]();
});

const fields = Object.entries(effects).flatMap(([method, ofMethod]) =>
  Object.entries(ofMethod).map(([field, effect]) => ({ method, field, effect })),
);

test.concurrent.each(fields)("$method: $field", async ({ effect }) => effect(placeOf(server, receiver)));

test.each(["runs", "threads", "assistants", "crons", "store"])(
  "client.%s sends no other field",
  async (noun) => {
    for (const [method, sent] of await sentBy(noun))
      expect([method, sent.filter((field) => !(field in (effects[`${noun}.${method}`] ?? {})))]).toEqual([
        method,
        [],
      ]);
  },
);

/** Of an SDK request, or of what it makes of an answer; no fields. */
const NO_FIELDS = new Set([
  "endpoint",
  "method",
  "json",
  "params",
  "headers",
  "signal",
  "timeoutMs",
  "withResponse",
  "dedupe",
  "idleReconnect",
  "onInitialResponse",
  "assistants",
  "next",
  "items",
  "createdAt",
  "updatedAt",
]);

/** Of all that happens on a thread; they have tests of their own. */
const STREAMS = new Set(["stream", "joinStream"]);

/** The names in the source of the SDK's methods that are written as properties are. */
async function sentBy(
  noun: string,
): Promise<readonly (readonly [method: string, fields: readonly string[]])[]> {
  const file = new URL(`client/${noun}/index.js`, import.meta.resolve("@langchain/langgraph-sdk"));
  const source = (await readFile(file, "utf8")).replaceAll(/\/\*[^]*?\*\//g, "");
  const methods = source.split(/^\t(?:async )?\*?(?=\w+\(.*\) \{$)/m).slice(1);
  return methods.flatMap((text): (readonly [string, readonly string[]])[] => {
    const [name = ""] = text.split("(");
    if (noun === "threads" && STREAMS.has(name)) return [];
    const written = [
      ...text.matchAll(/"?([\w-]+)"?: /g),
      ...text.matchAll(/^\t+(\w+),?$/gm),
      ...text.matchAll(/json: \{ (\w+) \}/g),
      ...text.matchAll(/params\.(\w+) =/g),
    ].flatMap(([, field]) => (field === undefined || NO_FIELDS.has(field) ? [] : [field]));
    return [[name, [...new Set(written)]]];
  });
}
