import { afterEach, expect, test, vi } from "vitest";
import { reporting } from "../support/graphs.ts";
import { startLangSmith } from "../support/langsmith.ts";
import { startServer } from "../support/server.ts";

// Among these tests, as each of their files has a process of its own: LangSmith's client reads the environment once.
afterEach(() => vi.unstubAllEnvs());

const graphs = [{ name: "reporting", graph: reporting }];
const body = {
  assistant_id: "reporting",
  input: { text: "hi" },
  langsmith_tracer: { project_name: "evaluations", example_id: "e9a3f4de-4f5b-4c9c-8f0e-0c6a5e6f7a8b" },
};

test("a run is traced in the project and for the example that its request names, and in the server's own", async () => {
  await using receiver = await startLangSmith();
  vi.stubEnv("LANGSMITH_TRACING", "true");
  vi.stubEnv("LANGSMITH_API_KEY", "key");
  vi.stubEnv("LANGSMITH_PROJECT", "ours");
  vi.stubEnv("LANGSMITH_ENDPOINT", receiver.url);
  await using server = await startServer({ graphs });
  expect((await server.post("/runs/wait", body)).status).toBe(200);
  await vi.waitFor(
    () => {
      const text = receiver.told.join("\n");
      expect(text).toContain('"session_name":"evaluations"');
      expect(text).toContain('"session_name":"ours"');
      expect(text).toContain('"reference_example_id":"e9a3f4de-4f5b-4c9c-8f0e-0c6a5e6f7a8b"');
    },
    { timeout: 10_000 },
  );
});

test("where LangSmith is not set up, the request is only seen by the graph", async () => {
  await using server = await startServer({ graphs });
  const { status, text } = await server.post("/runs/wait", body);
  expect([status, JSON.parse(text)]).toEqual([
    200,
    expect.objectContaining({
      report: expect.objectContaining({
        configurable: expect.objectContaining({
          langsmith_project: "evaluations",
          langsmith_example_id: "e9a3f4de-4f5b-4c9c-8f0e-0c6a5e6f7a8b",
        }),
      }),
    }),
  ]);
});
