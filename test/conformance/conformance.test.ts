/** The same calls of the official client to the official in-memory server and to ours: the answers are the same, or there is a reason. */

import { createHash } from "node:crypto";
import { Client } from "@langchain/langgraph-sdk";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startServer, type TestServer } from "../support/server.ts";
import { type Case, failure } from "./case.ts";
import { assistants } from "./cases/assistants.ts";
import { remoteGraphs } from "./cases/remote-graph.ts";
import { runs } from "./cases/runs.ts";
import { store } from "./cases/store.ts";
import { streams } from "./cases/streams.ts";
import { system } from "./cases/system.ts";
import { threads } from "./cases/threads.ts";
import { KNOWN } from "./differences.ts";
import * as graphs from "./graphs.ts";
import { type OfficialServer, startOfficialServer } from "./official-server.ts";
import { type Difference, differences, normalised, recorder } from "./transcript.ts";

const cases = [...system, ...assistants, ...threads, ...runs, ...streams, ...store, ...remoteGraphs];

let official: OfficialServer;
let ours: TestServer;
const met = new Set<string>();

beforeAll(async () => {
  [official, ours] = await Promise.all([
    startOfficialServer(Object.keys(graphs)),
    startServer({ graphs: Object.entries(graphs).map(([name, graph]) => ({ name, graph })) }),
  ]);
}, 240_000);

afterAll(async () => {
  await Promise.all([official[Symbol.asyncDispose](), ours[Symbol.asyncDispose]()]);
});

test.each(cases)("$name", async (one) => {
  const [theirs, mine] = await Promise.all([transcript(one, official.url), transcript(one, ours.url)]);
  const unexplained = differences(theirs, mine).filter((difference) => !isKnown(one, difference.at));
  const lines = unexplained.map(shown);
  expect(lines, lines.join("\n")).toEqual([]);
});

test("every reason is one for a difference that is there", () => {
  expect(KNOWN.map(({ why }) => why).filter((why) => !met.has(why))).toEqual([]);
});

function isKnown({ name }: Case, at: string): boolean {
  const reasons = KNOWN.filter((known) => (known.cases?.test(name) ?? true) && known.at.test(at));
  for (const { why } of reasons) met.add(why);
  return reasons.length > 0;
}

async function transcript({ name, run }: Case, url: string): Promise<unknown> {
  const { fetch: recorded, exchanges } = recorder(url);
  const known = new Set<string>();
  const client = new Client({ apiUrl: url, callerOptions: { fetch: recorded, maxRetries: 0 } });
  const returned = await failure(
    run({
      client,
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
