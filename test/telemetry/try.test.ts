import { expect, test } from "vitest";
import { recordTelemetry } from "../support/telemetry.ts";
import { startServer } from "../support/server.ts";
import { shout, failing, asking } from "../support/graphs.ts";

test("try", async () => {
  for (const hasContextManager of [true, false]) {
  await using recorded = recordTelemetry({ hasContextManager });
  {
  await using server = await startServer({ graphs: [{ name: "shout", graph: shout }, { name: "failing", graph: failing }, {name: "asking", graph: asking}] });
  await server.post("/runs/wait", { assistant_id: "shout", input: { text: "a" } });
  await server.post("/threads", { thread_id: "11111111-1111-4111-8111-111111111111" });
  await server.post("/threads/11111111-1111-4111-8111-111111111111/runs", { assistant_id: "shout", input: { text: "a" } });
  await server.get("/threads/11111111-1111-4111-8111-111111111111/runs?x=1");
  await server.post("/runs/stream", { assistant_id: "failing", input: { text: "a" } });
  await server.post("/runs/wait", { assistant_id: "asking", input: { text: "a" } });
  await server.get("/nothing");
  }
  const spans = recorded.spans();
  const show = (id: string | undefined, depth: number): void => {
    for (const s of spans.filter((x) => x.parentSpanContext?.spanId === id || (id === undefined && !spans.some((y) => y.spanContext().spanId === x.parentSpanContext?.spanId)))) {
      console.log(`${"  ".repeat(depth)}${s.name} ${s.kind} ${s.status.code} ${JSON.stringify(s.attributes)} ${s.links.length} ${JSON.stringify(s.events.map((e) => [e.name, e.attributes]))} ${s.duration[1] / 1e6}ms`);
      show(s.spanContext().spanId, depth + 1);
    }
  };
  show(undefined, 0);
  for (const m of ["langgraph.runs","langgraph.run.duration","langgraph.run.wait","langgraph.run.time_to_first_event","langgraph.queue.messages","http.server.request.duration"]) console.log(m, JSON.stringify(await recorded.points(m)).slice(0,600));
  }
});
