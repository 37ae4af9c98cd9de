import { Annotation, interrupt, type LangGraphRunnableConfig, START, StateGraph } from "@langchain/langgraph";
import { expect, test } from "vitest";
import { z } from "zod";
import { doubler, shout, typed } from "../support/graphs.ts";
import { connect, serve } from "../support/mcp.ts";
import { clientOf } from "../support/sdk.ts";
import { startServer } from "../support/server.ts";

const Text = Annotation.Root({ text: Annotation<string> });

test("a client is told who the server is, and which tools there are", async () => {
  await using mcp = await serve({
    graphs: [
      { name: "shout", graph: shout, description: "Says it louder" },
      { name: "typed", graph: typed },
      { name: "doubler", graph: doubler, inputSchema: z.object({ number: z.number() }) },
    ],
  });
  expect(mcp.client.getServerVersion()).toMatchObject({ name: "langgraph-functions" });
  expect(mcp.client.getServerCapabilities()).toEqual({ tools: {} });
  await mcp.client.ping();
  const { tools } = await mcp.client.listTools();
  const byName = Object.fromEntries(tools.map((tool) => [tool.name, tool]));
  expect(Object.keys(byName).sort()).toEqual(["doubler", "shout", "typed"]);
  expect(byName["shout"]).toMatchObject({
    description: "Says it louder",
    inputSchema: { type: "object", properties: { text: {} } },
  });
  expect(byName["typed"]).not.toHaveProperty("description");
  expect(byName["typed"]?.inputSchema).toMatchObject({ properties: { number: { type: "number" } } });
  expect(byName["doubler"]?.inputSchema).toMatchObject({ type: "object", required: ["number"] });
});

test("a tool is there for those whose key opens its graph", async () => {
  const graphs = (["anonymous", "function", "admin"] as const).map((authLevel) => ({
    name: authLevel,
    graph: shout,
    authLevel,
  }));
  const local = { keys: { function: "function-key", admin: "admin-key" } };
  await using server = await startServer({ graphs, local, authLevel: "anonymous" });
  for (const [key, open] of [
    ["", ["anonymous"]],
    ["function-key", ["anonymous", "function"]],
    ["admin-key", ["admin", "anonymous", "function"]],
  ] as const) {
    await using mcp = await connect(server, { "x-functions-key": key });
    const { tools } = await mcp.client.listTools();
    expect(tools.map(({ name }) => name).sort()).toEqual(open);
    for (const { name } of graphs) {
      const answer = await mcp.call(name, { text: "a" }).catch((error: unknown) => error);
      if (open.some((one) => one === name))
        expect(answer).toMatchObject({ structuredContent: { text: "a!" } });
      else
        expect(answer).toMatchObject({
          code: -32602,
          message: expect.stringContaining(`Tool '${name}' not found`),
        });
    }
  }
});

test("assistants are tools, too, each with a name of its own", async () => {
  const graph = new StateGraph(Text)
    .addNode("tell", (_, { configurable }: LangGraphRunnableConfig) => ({
      text: String(configurable?.["tone"]),
    }))
    .addEdge(START, "tell")
    .compile();
  await using mcp = await serve({
    graphs: [
      { name: "tell", graph },
      { name: "shout", graph: shout },
    ],
  });
  const { assistants } = clientOf(mcp.server);
  const make = async (name: string, tone: string) =>
    assistants.create({
      graphId: "tell",
      name,
      config: { configurable: { tone } },
      description: `In ${tone}`,
    });
  await make("Sales agent", "joy");
  const second = await make("Sales agent", "awe");
  const other = await make("shout", "anger");
  const { tools } = await mcp.client.listTools();
  const suffix = (id: string): string => id.slice(0, 8);
  const names = [
    "tell",
    "shout",
    "Sales_agent",
    `Sales_agent_${suffix(second.assistant_id)}`,
    `shout_${suffix(other.assistant_id)}`,
  ];
  expect(tools.map(({ name }) => name).sort()).toEqual(names.sort());
  expect(tools.find(({ name }) => name === "Sales_agent")).toMatchObject({
    title: "Sales agent",
    description: "In joy",
  });
  const told = async (name: string) => (await mcp.call(name, { text: "a" })).structuredContent;
  expect(await told("Sales_agent")).toEqual({ text: "joy" });
  expect(await told(`Sales_agent_${suffix(second.assistant_id)}`)).toEqual({ text: "awe" });
  expect(await told(`shout_${suffix(other.assistant_id)}`)).toEqual({ text: "anger" });
  expect(await told("shout")).toEqual({ text: "a!" });
});

test("a changed default assistant is what its tool runs", async () => {
  const graph = new StateGraph(Text)
    .addNode("tell", (_, { configurable }: LangGraphRunnableConfig) => ({
      text: interruptible(configurable?.["tone"]),
    }))
    .addEdge(START, "tell")
    .compile();
  await using mcp = await serve({ graphs: [{ name: "tell", graph }] });
  await clientOf(mcp.server).assistants.update("tell", {
    config: { configurable: { tone: "joy" } },
    description: "Changed",
  });
  expect((await mcp.client.listTools()).tools).toMatchObject([{ name: "tell", description: "Changed" }]);
  expect((await mcp.call("tell", {})).structuredContent).toEqual({ text: "joy" });
});

function interruptible(tone: unknown): string {
  return typeof tone === "string" ? tone : interrupt("no tone");
}

test("a graph that cannot be loaded does not hide the others", async () => {
  await using mcp = await serve({
    graphs: [
      { name: "shout", graph: shout },
      { name: "broken", graph: async () => Promise.reject(new Error("secret of the loader")) },
    ],
  });
  const { tools } = await mcp.client.listTools();
  expect(tools.map(({ name }) => name).sort()).toEqual(["broken", "shout"]);
  const answer = await mcp.call("broken", { text: "a" });
  expect(answer.isError).toBe(true);
  expect(JSON.stringify(answer)).not.toContain("secret");
});
