/** Many requests that are made up from our own OpenAPI document, against a server in a process of its own. */

import * as fc from "fast-check";
import { expect, test } from "vitest";
import { openJudge } from "./answers.ts";
import { expectConsistent } from "./consistency.ts";
import { operationsOf, readDocument } from "./document.ts";
import { fuzzedRequest } from "./requests.ts";
import { startFuzzedServer } from "./server-process.ts";
import { Things } from "./things.ts";

/** A failure prints the seed and the path to the shortest case: `FUZZ_SEED=… FUZZ_PATH=… npm run test:fuzz`. */
const { FUZZ_SEED = "20261121", FUZZ_PATH, FUZZ_REQUESTS = "20000" } = process.env;
const REQUESTS = Number(FUZZ_REQUESTS);
/** Sent at once. */
const AT_ONCE = 16;

/** While everything is loaded and every cache is filled. */
const WARM_UP = REQUESTS / 4;
const SAMPLES = 10;
/** Of a leak, each request leaves something behind; of noise, none does. */
const MAX_GROWTH_BYTES = 200;

test("no request breaks the server", { timeout: 900_000 }, async () => {
  await using server = await startFuzzedServer();
  const document = await readDocument(server.url);
  const operations = operationsOf(document);
  const { judge, statuses, successes } = openJudge(server.url, document, operations, new Things());
  const heaps: (readonly [number, number])[] = [];
  const tally = { sent: 0, seed: Number(FUZZ_SEED) };
  const batch = fc.array(fuzzedRequest(document, operations), {
    minLength: 1,
    maxLength: AT_ONCE,
    size: "max",
  });
  const property = fc.asyncProperty(batch, async (requests) => {
    const results = await Promise.allSettled(requests.map(judge));
    const before = tally.sent;
    tally.sent += requests.length;
    expect(server.isAlive()).toBe(true);
    for (const result of results) if (result.status === "rejected") throw result.reason;
    const everySo = (REQUESTS - WARM_UP) / SAMPLES;
    if (before > WARM_UP && Math.floor(tally.sent / everySo) > Math.floor(before / everySo))
      heaps.push([tally.sent, await server.heap()]);
  });
  if (FUZZ_PATH !== undefined) {
    await fc.assert(property, { seed: tally.seed, path: FUZZ_PATH });
    return;
  }
  for (; tally.sent < REQUESTS; tally.seed += 1)
    await fc.assert(property, { seed: tally.seed, numRuns: 500 });

  console.log(`${tally.sent} requests:`, Object.fromEntries(statuses), heaps);
  expect(server.errors).toEqual([]);
  await expectConsistent(server.database);
  expect(successes.size / operations.length).toBeGreaterThan(0.7); // the requests get somewhere
  expect(growth(heaps)).toBeLessThan(MAX_GROWTH_BYTES);
  const answer = await fetch(`${server.url}/graphs/echo/invoke`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ input: { text: "afterwards" } }),
  });
  expect(await answer.json()).toEqual({ output: { text: "afterwards" } });
});

/** In bytes a request: the slope of the straight line that fits best. */
function growth(samples: readonly (readonly [number, number])[]): number {
  const mean = (values: readonly number[]): number =>
    values.reduce((sum, value) => sum + value, 0) / values.length;
  const middle = [mean(samples.map(([at]) => at)), mean(samples.map(([, bytes]) => bytes))] as const;
  const over = samples.map(([at, bytes]) => (at - middle[0]) * (bytes - middle[1]));
  return mean(over) / mean(samples.map(([at]) => (at - middle[0]) ** 2));
}
