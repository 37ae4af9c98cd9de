/** Many runs on many threads, through whichever queue, and what must have become of them. */

import { randomUUID } from "node:crypto";
import { expect } from "vitest";
import type { TestDatabase } from "./database.ts";
import { overlaps } from "./processes.ts";

const isLong = process.env["CHAOS"] === "long";
const THREADS = isLong ? 100 : 50;
const ROUNDS = isLong ? 50 : 10;

export const patience = { timeout: isLong ? 900_000 : 240_000, interval: 100 };

/**
 * Asks for the rounds of each thread one after the other, in so many lanes at once; each lane goes from server to server.
 * `send` gives the answer's status.
 */
export async function sendAll(
  lanes: number,
  send: (body: object, turn: number) => Promise<number>,
): Promise<void> {
  const threads = Array.from({ length: THREADS }, () => randomUUID());
  let turn = 0;
  const sendLane = async (_: unknown, lane: number): Promise<void> => {
    const own = threads.filter((_, index) => index % lanes === lane);
    for (let round = 0; round < ROUNDS; round += 1) {
      for (const thread_id of own) {
        const body = { input: { text: String(round) }, config: { configurable: { thread_id } } };
        expect(await send(body, (turn += 1))).toBe(202);
      }
    }
  };
  await Promise.all(Array.from({ length: lanes }, sendLane));
}

/** Each run has succeeded, was executed once, never beside another one of its thread, in the order in which they came. */
export async function expectEachOnceAndInOrder({ query }: TestDatabase, processes: number): Promise<void> {
  expect(await query("select status, count(*)::int from langgraph.runs group by status")).toEqual([
    { status: "success", count: THREADS * ROUNDS },
  ]);
  expect(
    await query("select count(*)::int, max(claims) from langgraph.runs r join executions using (run_id)"),
  ).toEqual([{ count: THREADS * ROUNDS, max: 1 }]);
  expect(await overlaps(query)).toEqual([]);
  const inOrder = Array.from({ length: ROUNDS }, (_, round) => String(round));
  const states = await query(`select distinct "values" -> 'texts' as texts, status from langgraph.threads`);
  expect(states).toEqual([{ texts: inOrder, status: "idle" }]);
  expect(await query("select distinct process from executions")).toHaveLength(processes);
}
