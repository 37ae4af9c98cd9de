/**
 * The same calls of the official client to the official in-memory server and to ours, on each of its hosts: the answers are
 * the same, or there is a reason.
 */

import { createHash } from "node:crypto";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { Client } from "@langchain/langgraph-sdk";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Case, failure } from "./case.ts";
import { absent } from "./cases/absent.ts";
import { assistants } from "./cases/assistants.ts";
import { protocol } from "./cases/protocol.ts";
import { remoteGraphs } from "./cases/remote-graph.ts";
import { runs } from "./cases/runs.ts";
import { store } from "./cases/store.ts";
import { streams } from "./cases/streams.ts";
import { system } from "./cases/system.ts";
import { threads } from "./cases/threads.ts";
import { KNOWN, KNOWN_EVENTS } from "./differences.ts";
import * as graphs from "./graphs.ts";
import { startOnAzure } from "./hosts/azure.ts";
import type { ConformanceHost } from "./hosts/host.ts";
import { startOnLambda } from "./hosts/lambda.ts";
import { startLocally } from "./hosts/local.ts";
import { installPackages } from "../support/official-packages.ts";
import { type OfficialServer, startOfficialServer } from "./official-server.ts";
import { type Difference, differences, normalised, recorder, withoutEvents } from "./transcript.ts";

/** One by one: how many assistants there are is part of some answers. */
const inOrder = [...system, ...assistants];
const atOnce = [...threads, ...runs, ...streams, ...store, ...protocol, ...remoteGraphs, ...absent];

type NewClient = (options: { readonly url: string; readonly fetch: typeof fetch }) => Client;
const newClient: NewClient = ({ url, fetch }) =>
  new Client({ apiUrl: url, callerOptions: { fetch, maxRetries: 0 } });
let newClientOfLatest: NewClient;

/** Again with what npm calls the latest SDK, which is older. The streams of each graph and mode are the server's, not the SDK's. */
const ofLatest = (cases: readonly Case[]): readonly Case[] =>
  cases
    .filter(({ name }) => /^(assistants|threads|runs|streams|store): /.test(name))
    .filter(({ name }) => !/^streams: \w+, \w+/.test(name))
    .map((one) => ({ ...one, name: `${one.name}${OF_LATEST}` }));
const OF_LATEST = " (SDK 2.0.0)";

let official: OfficialServer;
/** By the names of the cases: each is asked for once, whatever the number of our hosts. */
const recorded = new Map<string, Promise<unknown>>();

beforeAll(async () => {
  [newClientOfLatest, official] = await Promise.all([latestSdk(), startOfficialServer(Object.keys(graphs))]);
}, 240_000);

afterAll(async () => official[Symbol.asyncDispose]());

describe.each([
  ["on this machine", startLocally],
  ["on AWS Lambda", startOnLambda],
  ["on Azure Functions", startOnAzure],
])("%s", (_, start) => {
  let host: ConformanceHost;
  const met = new Set<object>();

  beforeAll(async () => {
    host = await start();
  });
  afterAll(async () => host[Symbol.asyncDispose]());

  test.each([...inOrder, ...ofLatest(inOrder)])("$name", async (one) => compare(one, host, met));

  test.concurrent.each([...atOnce, ...ofLatest(atOnce)])("$name", async (one) => compare(one, host, met));

  test("every reason is one for a difference that is there", () => {
    const reasons = [...KNOWN, ...KNOWN_EVENTS];
    expect(reasons.filter((reason) => !met.has(reason))).toEqual([]);
  });

  test("no worker has failed, nor has the schedule", () => {
    expect(host.failures()).toEqual([]);
  });
});

/** Its types are those of the other one. */
async function latestSdk(): Promise<NewClient> {
  const folder = await installPackages("sdk", { "@langchain/langgraph-sdk": "2.0.0" });
  const index = join(folder, "node_modules", "@langchain", "langgraph-sdk", "dist", "index.js");
  const sdk: { readonly Client: typeof Client } = await import(pathToFileURL(index).href);
  return ({ url, fetch }) => new sdk.Client({ apiUrl: url, callerOptions: { fetch, maxRetries: 0 } });
}

async function compare(one: Case, { url }: ConformanceHost, met: Set<object>): Promise<void> {
  const client = one.name.endsWith(OF_LATEST) ? newClientOfLatest : newClient;
  const theirs = recorded.get(one.name) ?? transcript(one, official.url, client);
  recorded.set(one.name, theirs);
  const mine = transcript(one, url, client);
  const unexplained = differences(
    withoutKnownEvents(one, await theirs, met),
    withoutKnownEvents(one, await mine, met),
  ).filter((difference) => !isKnown(one, difference, met));
  const lines = unexplained.map(shown);
  expect(lines, lines.join("\n")).toEqual([]);
}

function isKnown(
  { name }: Case,
  { at, official: theirs, ours: mine }: Difference,
  met: Set<object>,
): boolean {
  const both = JSON.stringify([theirs, mine]);
  const reasons = KNOWN.filter(
    ({ cases: named, at: place, values }) =>
      (named?.test(name) ?? true) &&
      place.test(at) &&
      (values === undefined || JSON.stringify(values) === both),
  );
  for (const reason of reasons) met.add(reason);
  return reasons.length > 0;
}

/** The transcript without the events that only one of the two sends. */
function withoutKnownEvents({ name }: Case, value: unknown, met: Set<object>): unknown {
  return KNOWN_EVENTS.filter((known) => known.cases.test(name)).reduce((rest, known) => {
    const kept = withoutEvents(rest, known.events);
    if (JSON.stringify(kept) !== JSON.stringify(rest)) met.add(known);
    return kept;
  }, value);
}

async function transcript({ name, run }: Case, url: string, client: NewClient): Promise<unknown> {
  const { fetch: recorded, exchanges } = recorder(url);
  const known = new Set<string>();
  const returned = await failure(
    run({
      client: client({ url, fetch: recorded }),
      url,
      id: (what) => {
        const id = idOf(`${name}/${what}`);
        known.add(id);
        return id;
      },
      send: async (method, path, body) =>
        recorded(`${url}${path}`, {
          method,
          ...(body === undefined
            ? {}
            : { body: JSON.stringify(body), headers: { "content-type": "application/json" } }),
        }),
    }),
  );
  return normalised({ exchanges: await exchanges(), returned: asJson(returned) }, known);
}

function shown({ at, official: theirs, ours: mine }: Difference): string {
  return `${at}: ${JSON.stringify(theirs)} is ${JSON.stringify(mine)} with us`;
}

function asJson(value: unknown): unknown {
  return value === undefined ? undefined : JSON.parse(JSON.stringify(value));
}

/** A UUID that is the same in each run. */
function idOf(name: string): string {
  const hex = createHash("sha256").update(name).digest("hex");
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}
