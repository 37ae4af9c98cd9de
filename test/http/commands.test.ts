import { expect, test } from "vitest";
import { asking } from "../support/graphs.ts";
import { startServer } from "../support/server.ts";

const goto = "command.goto: the graph has no node 'nowhere'";

test.each([
  [{ goto: "nowhere" }, goto],
  [{ goto: ["ask", { node: "nowhere", input: {} }] }, goto],
  [{ update: { unknown: 1 } }, "command.update.unknown: the graph's state has no such field"],
  [{ update: [["unknown", 1]] }, "command.update.unknown: the graph's state has no such field"],
  [{ update: { "branch:to:ask": 1 } }, "command.update.branch:to:ask: the graph's state has no such field"],
])(
  "a command that names what the graph has not is refused, and nothing is stored: %j",
  async (command, detail) => {
    const isNative = !Object.values<unknown>(command).some(Array.isArray); // whose commands have no lists
    await using server = await startServer({ graphs: [{ name: "asking", graph: asking }] });
    for (const path of ["/runs", "/runs/wait", "/runs/stream"]) {
      const body = { assistant_id: "asking", command, if_not_exists: "create" };
      const answer = await server.post(`/threads/t${path}`, body);
      expect(answer).toMatchObject({ status: 422, body: { error: "invalid_request", detail } });
    }
    if (isNative) {
      for (const door of ["invoke", "stream", "runs"]) {
        const answer = await server.post(`/graphs/asking/${door}`, { command });
        expect(answer).toMatchObject({ status: 422, body: { error: "invalid_request", detail } });
      }
    }
    expect(await server.database.query("select from langgraph.runs")).toEqual([]);
    expect(await server.database.query("select from langgraph.threads")).toEqual([]);
  },
);
