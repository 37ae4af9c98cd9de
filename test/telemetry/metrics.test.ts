import { expect, test, vi } from "vitest";
import { z } from "zod";
import { failing, gated, shout } from "../support/graphs.ts";
import { startReceiver } from "../support/receiver.ts";
import { startServer } from "../support/server.ts";
import { recordTelemetry, type Point, type Recorder } from "../support/telemetry.ts";

const Histogram = z.object({ count: z.number(), sum: z.number() });
const Created = z.object({ run_id: z.uuid() });
const patience = { timeout: 25_000 };
const ofGraph = (graph: string, status?: string) => ({
  "langgraph.graph": graph,
  ...(status && { "langgraph.status": status }),
});

/** A histogram's points, without the values that differ from run to run. */
async function counted(recorded: Recorder, metric: string): Promise<readonly Point[]> {
  const points = await recorded.points(metric);
  return points.map(({ attributes, value }) => {
    const { count, sum } = Histogram.parse(value);
    expect(sum).toBeGreaterThanOrEqual(0);
    return { attributes, value: count };
  });
}

test("runs are counted by how they ended, and measured: their wait, their first event, their length", async () => {
  await using recorded = recordTelemetry();
  const { graph, entered } = gated();
  await using server = await startServer({
    graphs: [
      { name: "shout", graph: shout },
      { name: "failing", graph: failing },
      { name: "gated", graph },
    ],
  });
  const asked = (name: string) => ({ assistant_id: name, input: { text: "a" }, if_not_exists: "create" });
  await server.post("/runs/wait", asked("shout"));
  await server.post("/threads/a/runs", asked("shout"));
  await server.post("/runs/wait", asked("failing"));
  const { body } = await server.post("/threads/b/runs", asked("gated"));
  await entered;
  // At the next tick.
  await vi.waitFor(
    async () =>
      expect(await recorded.points("langgraph.queue.running")).toEqual([{ attributes: {}, value: 1 }]),
    patience,
  );
  expect(await recorded.points("langgraph.queue.waiting")).toEqual([{ attributes: {}, value: 0 }]);
  expect(await recorded.points("langgraph.queue.age")).toEqual([{ attributes: {}, value: 0 }]);
  await server.post(`/threads/b/runs/${Created.parse(body).run_id}/cancel?wait=true`, {});
  await vi.waitFor(
    async () =>
      expect(await recorded.points("langgraph.runs")).toEqual(
        expect.arrayContaining([
          { attributes: ofGraph("shout", "success"), value: 2 },
          { attributes: ofGraph("failing", "error"), value: 1 },
          { attributes: ofGraph("gated", "interrupted"), value: 1 },
        ]),
      ),
    patience,
  );
  expect(await counted(recorded, "langgraph.run.duration")).toEqual(await recorded.points("langgraph.runs"));
  // A run that its own request executes waits for nobody.
  expect(await counted(recorded, "langgraph.run.wait")).toEqual([
    { attributes: ofGraph("shout"), value: 1 },
    { attributes: ofGraph("gated"), value: 1 },
  ]);
  expect(await counted(recorded, "langgraph.run.time_to_first_event")).toEqual(
    expect.arrayContaining([
      { attributes: ofGraph("shout"), value: 2 },
      { attributes: ofGraph("failing"), value: 1 },
    ]),
  );
  expect(await recorded.points("langgraph.queue.messages")).toEqual([
    { attributes: { "messaging.system": "in_process" }, value: 2 },
  ]);
  expect(await counted(recorded, "http.server.request.duration")).toContainEqual({
    attributes: {
      "http.request.method": "POST",
      "http.route": "/api/runs/wait",
      "http.response.status_code": 200,
      "url.scheme": "http",
    },
    value: 2,
  });
});

test("how long a run waited is measured in seconds of the database's clock", async () => {
  await using recorded = recordTelemetry();
  await using server = await startServer({ graphs: [{ name: "shout", graph: shout }] });
  await server.post("/threads/a/runs", {
    assistant_id: "shout",
    input: { text: "a" },
    if_not_exists: "create",
    after_seconds: 3_600,
  });
  await server.database.query(
    "update langgraph.runs set due_at = now() - interval '100 seconds', woken_at = now() - interval '100 seconds'",
  );
  await vi.waitFor(
    async () =>
      expect(await recorded.points("langgraph.run.wait")).toMatchObject([
        { value: { count: 1, min: expect.closeTo(100, -2) as unknown } },
      ]),
    patience,
  );
});

test("each attempt to deliver a webhook counts, by what became of it", async () => {
  await using recorded = recordTelemetry();
  await using receiver = await startReceiver({ statuses: [500, 204, 410] });
  await using server = await startServer({
    graphs: [{ name: "shout", graph: shout }],
    webhooks: { allowPrivateAddresses: true, retrySeconds: [0] },
  });
  const asked = { assistant_id: "shout", input: { text: "a" }, webhook: receiver.url };
  await server.post("/runs/wait", asked);
  await receiver.after(2);
  await server.post("/runs/wait", asked);
  await vi.waitFor(
    async () =>
      expect(await recorded.points("langgraph.webhooks")).toEqual([
        { attributes: { "langgraph.status": "put_off" }, value: 1 },
        { attributes: { "langgraph.status": "delivered" }, value: 1 },
        { attributes: { "langgraph.status": "given_up" }, value: 1 },
      ]),
    patience,
  );
});
