/** A host that does not see its clients leave: `on_disconnect: "cancel"` and `cancel_on_disconnect` there. */

import { expect, test, vi } from "vitest";
import {
  openCutStream,
  PATIENCE,
  readAll,
  startHost,
  untilEntered,
  untilRuns,
  type HostOptions,
} from "../support/blind-host.ts";

test("the run of a client that does not come back is cancelled where it executes", async () => {
  await using host = await startHost();
  const { steps } = await openCutStream(host);
  host.deliver();
  await untilEntered(host, steps + 1);
  await host.runOutOfGrace();
  await untilRuns(host, [{ status: "interrupted", claims: 2 }]);
  expect(host.aborted).toEqual([steps]);
  const state = await (await host.send("/threads/t/state")).json();
  expect(state).toMatchObject({ values: { count: steps }, next: ["step"] });
  expect(await (await host.send("/threads/t")).json()).toMatchObject({ status: "interrupted" });
});

test("the run of a client that does not come back is not begun by the worker that it was handed to", async () => {
  await using host = await startHost();
  const { steps } = await openCutStream(host);
  await host.runOutOfGrace();
  host.deliver();
  await untilRuns(host, [{ status: "interrupted", claims: 2 }]);
  expect(host.entered).toHaveLength(steps);
});

test("a tick cancels runs that wait although their client has left, begun or not", async () => {
  await using host = await startHost();
  const { steps } = await openCutStream(host);
  expect(await readAll(await host.run("/threads/t/runs/stream"))).toMatchObject({ wasCut: true });
  await host.tick();
  expect(await host.runs()).toEqual([
    { status: "pending", claims: 1, is_awaited: true },
    { status: "pending", claims: 0, is_awaited: true },
  ]);
  await host.runOutOfGrace();
  await host.tick();
  expect(await host.runs()).toMatchObject([
    { status: "pending", claims: 1 },
    { status: "interrupted", claims: 0 },
  ]);
  host.deliver();
  await untilRuns(host, [{ status: "interrupted" }, { status: "interrupted", claims: 0 }]);
  expect(host.entered).toHaveLength(steps);
});

test("a client that comes late, but before anybody has noticed, is in time", async () => {
  await using host = await startHost();
  const { location, steps } = await openCutStream(host);
  await host.runOutOfGrace();
  const late = await host.send(location.replace("/stream", "/join"));
  expect(await host.runs()).toMatchObject([{ is_awaited: null }]);
  await host.runOutOfGrace();
  const stream = readAll(await host.send(location));
  await untilEntered(host, steps + 1);
  expect(await host.runs()).toMatchObject([{ is_awaited: true }]);
  host.letGo();
  expect(await stream).toMatchObject({ wasCut: false });
  expect(await late.json()).toEqual({ count: steps + 2 });
  expect(await host.runs()).toMatchObject([{ status: "success" }]);
});

test("a stream that the client has lost does not make it late on the one that it reads", async () => {
  await using host = await startHost();
  const { location, steps } = await openCutStream(host);
  host.deliver();
  await untilEntered(host, steps + 1);
  const lost = await host.send(location, {}, 500);
  const reads = await host.send(location, {}, 100_000);
  expect(await readAll(lost)).toMatchObject({ wasCut: true });
  const [{ seconds } = {}] = await host.patience();
  expect(seconds).toBeGreaterThan(60);
  host.letGo();
  expect(await readAll(reads)).toMatchObject({ wasCut: false });
  expect(await host.runs()).toEqual([{ status: "success", claims: 2, is_awaited: null }]);
});

test("a run that waits, and that was cancelled for its client's sake, is not cancelled by each tick", async () => {
  await using host = await startHost();
  await openCutStream(host);
  host.messages.splice(0);
  await host.runOutOfGrace();
  await host.tick();
  await host.tick();
  expect(host.messages).toHaveLength(1);
});

test("a run without a thread is handed over and cancelled, too", async () => {
  await using host = await startHost();
  const { steps } = await openCutStream(host, "/runs/stream");
  host.deliver();
  await untilEntered(host, steps + 1);
  await host.runOutOfGrace();
  await vi.waitFor(async () => expect(await host.runs()).toEqual([]), PATIENCE); // as any that is over
  expect(host.aborted).toEqual([steps]);
});

test.each<[string, HostOptions, string, object]>([
  ["that says continue", {}, "stream", { on_disconnect: "continue" }],
  ["that says nothing", {}, "stream", { on_disconnect: undefined }],
  ["that only waits, and could not come back", {}, "wait", {}],
  ["of a host that sees clients leave", { seesClients: true }, "stream", {}],
  ["where no worker would go on", { outlivesProcess: false }, "stream", {}],
  ["that gets all at once", { streaming: "buffered" }, "stream", {}],
  ["whose graph would begin anew elsewhere", { checkpointer: false }, "stream", {}],
  ["whose graph would lose its context elsewhere", { context: () => ({ now: () => 1 }) }, "stream", {}],
])("a client is not asked for a sign of life %s", async (_, options, door, more) => {
  await using host = await startHost(options);
  host.hold();
  const answering = host.run(`/threads/t/runs/${door}`, more).then(readAll);
  await vi.waitFor(() => expect(host.entered.length).toBeGreaterThan(0), PATIENCE);
  await using other = await startHost();
  await openCutStream(other); // in which time this one would have been asked, too
  host.letGo();
  expect(await answering).toMatchObject({ wasCut: false });
  expect(host.messages).toEqual([]);
  expect(await host.runs()).toEqual([{ status: "success", claims: 1, is_awaited: null }]);
});

test("where a client goes on tells all that it asked for", async () => {
  await using host = await startHost();
  host.hold();
  host.letGo();
  const made = await host.run("/threads/t/runs/stream", { on_disconnect: "continue" });
  expect(await readAll(made)).toMatchObject({ wasCut: false });
  const path = `${made.headers.get("content-location")}`;
  const query = "cancel_on_disconnect=1&stream_mode=values&stream_mode=updates&namespace=&code=secret";
  const location = (await host.send(`${path}/stream?${query}`)).headers.get("location");
  expect(location).toBe(
    `${path}/stream?cancel_on_disconnect=true&stream_mode=values&stream_mode=updates&namespace=`,
  );
  // The SDK adds its own parameters to them.
  const repeated = await host.send(`${location}&cancel_on_disconnect=1&stream_mode=values`);
  expect([repeated.status, repeated.headers.get("location")]).toEqual([
    200,
    `${path}/stream?cancel_on_disconnect=true&stream_mode=values&stream_mode=updates&stream_mode=values&namespace=`,
  ]);
  expect((await host.send(`${path}/join?${query.slice(0, 22)}`)).headers.get("location")).toBe(
    `${path}/join?cancel_on_disconnect=true`,
  );
  expect((await host.send(`${path}/join`)).headers.get("location")).toBe(`${path}/join`);
});
