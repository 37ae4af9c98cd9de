import { expect, test, vi } from "vitest";
import { failing, gated, shout } from "../support/graphs.ts";
import { startServer, type TestServer } from "../support/server.ts";
import { z } from "zod";

const Created = z.strictObject({ run_id: z.uuid(), thread_id: z.string(), status: z.literal("pending") });

async function create(server: TestServer, graph: string, body: object) {
  const answer = await server.post(`/graphs/${graph}/runs`, body);
  expect(answer.status).toBe(202);
  return Created.parse(answer.body);
}

/** Asks until the run has this status. */
async function untilStatus(
  server: TestServer,
  graph: string,
  runId: string,
  status: string,
): Promise<unknown> {
  return vi.waitFor(
    async () => {
      const answer = await server.get(`/graphs/${graph}/runs/${runId}`);
      expect(answer.body).toMatchObject({ status });
      return answer.body;
    },
    { timeout: 20_000 },
  );
}

test("a background run is accepted at once, and has its output when it has ended", async () => {
  const { graph, open, entered } = gated();
  await using server = await startServer({ graphs: [{ name: "gated", graph }] });
  const { run_id, thread_id } = await create(server, "gated", { input: { text: "later" } });
  await entered;
  expect((await server.get(`/graphs/gated/runs/${run_id}`)).body).toMatchObject({
    status: "running",
    output: null,
  });
  open();
  expect(await untilStatus(server, "gated", run_id, "success")).toMatchObject({
    thread_id,
    output: { text: "later after all" },
  });
  expect((await server.get(`/graphs/gated/threads/${thread_id}/state`)).status).toBe(200);
});

test("runs of one thread wait for each other and keep their order", async () => {
  const { graph, open, entered } = gated();
  await using server = await startServer({
    graphs: [
      { name: "gated", graph },
      { name: "shout", graph: shout },
    ],
  });
  const config = { configurable: { thread_id: "t" } };
  const first = await create(server, "gated", { input: { text: "one" }, config });
  await entered;
  const others = [];
  for (const text of ["two", "three"])
    others.push(await create(server, "shout", { input: { text }, config }));
  for (const { run_id } of others) {
    expect((await server.get(`/graphs/shout/runs/${run_id}`)).body).toMatchObject({ status: "pending" });
  }
  open();
  await untilStatus(server, "gated", first.run_id, "success");
  for (const { run_id } of others) await untilStatus(server, "shout", run_id, "success");
  expect((await server.get("/graphs/shout/threads/t/state")).body).toMatchObject({
    values: { text: "three!" },
  });
});

test("a run that is cancelled stops in the middle of a node, one that waits never begins", async () => {
  const { graph, entered } = gated();
  await using server = await startServer({ graphs: [{ name: "gated", graph }] });
  const config = { configurable: { thread_id: "t" } };
  const running = await create(server, "gated", { input: { text: "one" }, config });
  await entered;
  const waiting = await create(server, "gated", { input: { text: "two" }, config });
  for (const { run_id } of [waiting, running]) {
    expect((await server.post(`/graphs/gated/runs/${run_id}/cancel`, {})).status).toBe(202);
    await untilStatus(server, "gated", run_id, "interrupted");
  }
  expect(await server.database.query("select active_runs from langgraph.threads")).toEqual([
    { active_runs: 0 },
  ]);
});

test("many runs at once in one process are nothing that it warns of", async () => {
  const warned: string[] = [];
  const hear = ({ name }: Error): void => void warned.push(name);
  process.on("warning", hear);
  const { graph, open } = gated();
  await using server = await startServer({ graphs: [{ name: "gated", graph }] });
  const runs = await Promise.all(
    Array.from({ length: 15 }, async () => create(server, "gated", { input: { text: "at once" } })),
  );
  for (const { run_id } of runs) await untilStatus(server, "gated", run_id, "running");
  open();
  for (const { run_id } of runs) await untilStatus(server, "gated", run_id, "success");
  process.off("warning", hear);
  expect(warned).toEqual([]);
});

test("a run that fails says so, with an id that finds the reason in the log", async () => {
  await using server = await startServer({ graphs: [{ name: "failing", graph: failing }] });
  const { run_id } = await create(server, "failing", { input: { text: "a" } });
  const run = await untilStatus(server, "failing", run_id, "error");
  expect(run).toMatchObject({
    error: expect.stringMatching(/^Graph execution failed \(error id/),
    output: null,
  });
  expect(server.errors).toHaveLength(1);
});

test("a run is known to its own graph only", async () => {
  await using server = await startServer({
    graphs: [
      { name: "shout", graph: shout },
      { name: "other", graph: shout },
    ],
  });
  const { run_id } = await create(server, "shout", { input: { text: "a" } });
  expect((await server.get(`/graphs/other/runs/${run_id}`)).status).toBe(404);
  expect((await server.get("/graphs/shout/runs/00000000-0000-4000-8000-000000000000")).status).toBe(404);
  expect((await server.get("/graphs/shout/runs/nonsense")).status).toBe(422);
});
