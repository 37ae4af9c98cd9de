/** A run whose stream was broken off for a sign of life: who goes on with it, when its client is back. */

import { expect, test } from "vitest";
import { z } from "zod";
import {
  comeBack,
  openCutStream,
  readAll,
  readToEnd,
  startHost,
  untilEntered,
  untilRuns,
  updatesAfter,
  updatesOf,
  type Host,
} from "../support/blind-host.ts";

test("a client that comes back has every event once, and its run goes on with a worker from where it was", async () => {
  await using host = await startHost();
  const { events, location, steps } = await openCutStream(host);
  expect(location).toMatch(/\/stream\?cancel_on_disconnect=1$/);
  host.deliver();
  await untilEntered(host, steps + 1);
  const back = await host.send(location, { headers: { "last-event-id": String(events.at(-1)?.id) } });
  const again = back.headers.get("location") ?? "";
  expect(again).toMatch(/\/stream\?cancel_on_disconnect=true$/);
  const read = await readAll(back);
  expect(read.wasCut).toBe(true);
  expect(await host.runs()).toEqual([{ status: "running", claims: 2, is_awaited: true }]);
  host.letGo();
  const all = await readToEnd(host, again, [...events, ...read.events]);
  expect(updatesOf(all)).toEqual(updatesAfter(host.entered));
  expect(host.entered).toEqual([...Array(steps + 2).keys()]);
  expect(await host.runs()).toEqual([{ status: "success", claims: 2, is_awaited: null }]);
});

test("without any worker, a run goes on wherever its client comes back to, and nothing is done twice", async () => {
  await using host = await startHost();
  await using other = await startHost({ beside: host });
  const first = await openCutStream(host);
  const seen = first.events.slice(0, 2); // the rest got lost on the way
  const second = await comeBack(other, first.location, seen);
  expect(second.wasCut).toBe(true);
  expect(await host.runs()).toEqual([{ status: "pending", claims: 2, is_awaited: true }]);
  host.letGo();
  const third = await comeBack(host, first.location, second.events);
  expect(third.wasCut).toBe(false);
  const entered = [...host.entered, ...other.entered].toSorted((one, two) => one - two);
  expect(entered).toEqual([...entered.keys()]);
  expect(updatesOf(third.events)).toEqual(updatesAfter(entered));
  expect(host.entered).toHaveLength(first.steps + 2);
  const ended = [{ status: "success", claims: 3, is_awaited: null }];
  expect(await host.runs()).toEqual(ended);
  // Whose messages come late.
  expect([host.messages, other.messages]).toMatchObject([[{}], [{}]]);
  await Promise.all([host.work(60_000), other.work(60_000)]);
  expect(await host.runs()).toEqual(ended);
});

test("of a worker and the client's return, one gets the run", async () => {
  await using host = await startHost();
  const opened = await Promise.all(
    ["a", "b", "c", "d", "e", "f"].map(async (thread) => {
      const response = await host.run(`/threads/${thread}/runs/stream`);
      return { location: response.headers.get("location") ?? "", ...(await readAll(response)) };
    }),
  );
  expect(opened.map(({ wasCut }) => wasCut)).toEqual(opened.map(() => true));
  host.hold();
  const reading = opened.map(async ({ location, events }) => {
    host.deliver();
    return readToEnd(host, location, events);
  });
  await untilRuns(
    host,
    opened.map(() => ({ status: "running", claims: 2 })),
  );
  host.letGo();
  const updates = (await Promise.all(reading)).map(updatesOf);
  expect(updates).toEqual(updates.map((one) => updatesAfter(one.keys())));
  expect(host.entered).toHaveLength(updates.flat().length);
  await untilRuns(
    host,
    opened.map(() => ({ status: "success", claims: 2 })),
  );
});

/** The claims of one run that were tried. */
const claimsTried = ({ statements }: Host): number =>
  statements.filter((statement) => statement.includes("claims = claims + 1")).length;

test("runs in the background, and those that have not begun, are for workers alone", async () => {
  await using host = await startHost();
  await host.run("/threads/t/runs", { on_disconnect: undefined });
  await host.work(1_000); // then it is handed over
  const waiting = await host.run("/threads/t/runs/stream");
  expect(await readAll(waiting)).toMatchObject({ wasCut: true });
  const runs = [
    { status: "pending", claims: 1, is_awaited: null },
    { status: "pending", claims: 0, is_awaited: true },
  ];
  expect(await host.runs()).toEqual(runs);
  const [steps, tried] = [host.entered.length, claimsTried(host)];
  expect(tried).toBe(2); // by the worker, and for the second run when it came
  const listed: unknown = await (await host.send("/threads/t/runs")).json();
  const [, background] = z.array(z.object({ run_id: z.string() })).parse(listed);
  expect(JSON.stringify(listed)).not.toContain("ends_with_client");
  const join = `/threads/t/runs/${background?.run_id}/stream?cancel_on_disconnect=1`;
  for (const location of [join, join, waiting.headers.get("location") ?? ""])
    expect(await readAll(await host.send(location))).toMatchObject({ wasCut: true });
  expect(await host.runs()).toEqual(runs.map((run) => ({ ...run, is_awaited: true })));
  expect([host.entered.length, claimsTried(host)]).toEqual([steps, tried]);
});
