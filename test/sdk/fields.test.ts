/** Each field that the official SDK can send has an effect, or is refused with a reason; none is accepted and ignored. */

import { readFile } from "node:fs/promises";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { installPackages } from "../support/official-packages.ts";
import { startReceiver, type Receiver } from "../support/receiver.ts";
import { startServer, type TestServer } from "../support/server.ts";
import { assistantEffects } from "./fields/assistants.ts";
import { batchEffects } from "./fields/batch.ts";
import { cronEffects } from "./fields/crons.ts";
import { GRAPHS, placeOf, type Effects } from "./fields/place.ts";
import { newerEffects, otherEffects } from "./fields/newer.ts";
import { askingEffects } from "./fields/runs.ts";
import { runEffects } from "./fields/run-control.ts";
import { storeEffects } from "./fields/store.ts";
import { threadEffects } from "./fields/threads.ts";

const effects: Readonly<Record<string, Effects>> = {
  ...askingEffects,
  ...batchEffects,
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

const fields = [effects, newerEffects, otherEffects].flatMap((all) =>
  Object.entries(all).flatMap(([method, ofMethod]) =>
    Object.entries(ofMethod).map(([field, effect]) => ({ method, field, effect })),
  ),
);

test.concurrent.each(fields)("$method: $field", async ({ effect }) => effect(placeOf(server, receiver)));

const NOUNS = ["runs", "threads", "assistants", "crons", "store"];

test.each(NOUNS)("client.%s sends no other field", async (noun) => {
  for (const [method, sent] of await sentBy(noun, import.meta.resolve("@langchain/langgraph-sdk")))
    expect([method, sent.filter((field) => !(field in effectsOf(noun, method)))]).toEqual([method, []]);
});

/** It sends whatever it is given, under the names of its own options; those that are the client's alone make no field. */
async function batchFields(sdk: string): Promise<readonly string[]> {
  const types = (await readFile(new URL("types.d.ts", sdk), "utf8")).replaceAll(/\/\*[^]*?\*\//g, "");
  const payloads = [...types.matchAll(/^interface Runs(?:Invoke|Create)Payload [^]*?^\}/gm)].join();
  const names = [...payloads.matchAll(/^ {2}(\w+)\?:/gm)].map(([, name = ""]) => name);
  return names.filter((name) => !["signal", "onRunCreated"].includes(name));
}

test("client.runs.createBatch can be given nothing else", async () => {
  const given = await batchFields(import.meta.resolve("@langchain/langgraph-sdk"));
  expect(given.length).toBeGreaterThan(20);
  const known = new Set(Object.keys(effectsOf("runs", "createBatch")));
  const inSnakeCase = (name: string) => name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
  expect(given.filter((name) => !known.has(name) && !known.has(inSnakeCase(name)))).toEqual([]);
});

/** What it sends besides what the SDK that we test with does. */
async function moreThanOurs(version: string): Promise<Readonly<Record<string, readonly string[]>>> {
  const folder = await installPackages("sdk", { "@langchain/langgraph-sdk": version });
  const sdk = pathToFileURL(`${folder}/node_modules/@langchain/langgraph-sdk/dist/index.js`).href;
  const ours = await batchFields(import.meta.resolve("@langchain/langgraph-sdk"));
  const found: [method: string, fields: readonly string[]][] = [
    ["runs.createBatch", (await batchFields(sdk)).filter((name) => !ours.includes(name))],
  ];
  for (const noun of NOUNS) {
    const methods = await sentBy(noun, sdk);
    expect([noun, methods.length]).toEqual([noun, expect.toSatisfy((many: number) => many > 4)]);
    for (const [method, sent] of methods)
      found.push([`${noun}.${method}`, sent.filter((field) => !(field in effectsOf(noun, method)))]);
  }
  return Object.fromEntries(found.filter(([, fields]) => fields.length > 0));
}

/** So that other versions of the client do not find us unprepared. */
test.each([
  ["1.15.0", newerEffects],
  ["2.0.0", otherEffects],
] as const)("client %s sends what is listed for it, and no other field", async (version, listed) => {
  expect(await moreThanOurs(version)).toEqual(
    Object.fromEntries(Object.entries(listed).map(([method, fields]) => [method, Object.keys(fields)])),
  );
});

function effectsOf(noun: string, method: string): Effects {
  return effects[`${noun}.${method}`] ?? {};
}

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

/** Of the client's part for the noun: a file of its own, or, as older versions have it, a class of the one file. */
async function sourceOf(noun: string, sdk: string): Promise<string> {
  const own = await readFile(new URL(`client/${noun}/index.js`, sdk), "utf8").catch(() => undefined);
  if (own !== undefined) return own;
  const all = await readFile(new URL("client.js", sdk), "utf8");
  const name = `${noun.charAt(0).toUpperCase()}${noun.slice(1)}Client`;
  const [, source] = new RegExp(`^var ${name} = (class [^]*?^\\};)`, "m").exec(all) ?? [];
  if (source === undefined) throw new Error(`There is no ${name}`);
  return source;
}

/** The names in the source of the SDK's methods that are written as properties are. */
async function sentBy(
  noun: string,
  sdk: string,
): Promise<readonly (readonly [method: string, fields: readonly string[]])[]> {
  const source = (await sourceOf(noun, sdk)).replaceAll(/\/\*[^]*?\*\//g, "");
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
