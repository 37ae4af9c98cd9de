import { expect, test } from "vitest";
import { forgetting, shout } from "../support/graphs.ts";
import { startServer } from "../support/server.ts";

const graphs = [
  { name: "shout", graph: shout, description: "Says it louder" },
  { name: "forgetting", graph: forgetting },
];
const list = [
  { name: "shout", description: "Says it louder", has_checkpointer: true },
  { name: "forgetting", description: null, has_checkpointer: false },
];

test("health lists the graphs, before and after their first run", async () => {
  await using server = await startServer({ graphs });
  expect(await server.get("/health")).toMatchObject({ status: 200, body: { status: "ok", graphs: list } });
  for (const { name } of graphs) await server.post(`/graphs/${name}/invoke`, { input: { text: "a" } });
  expect((await server.get("/health")).body).toEqual({ status: "ok", graphs: list });
});

test("health can keep the graphs to itself; its details, behind the key, have them", async () => {
  await using server = await startServer({
    graphs,
    healthListsGraphs: false,
    local: { keys: { function: "key" } },
  });
  expect((await server.get("/health")).body).toEqual({ status: "ok" });
  expect(await server.get("/health/details")).toMatchObject({ status: 401 });
  const details = await server.get("/health/details", { headers: { "x-functions-key": "key" } });
  expect(details).toMatchObject({ status: 200 });
  expect(details.body).toEqual({ status: "ok", graphs: list });
});

test("health needs no key", async () => {
  await using server = await startServer({ graphs, local: { keys: { function: "key" } } });
  expect((await server.get("/health")).status).toBe(200);
});

test("health loads no graph", async () => {
  let loads = 0;
  const loader = async () => {
    loads += 1;
    return { graph: shout };
  };
  await using server = await startServer({ graphs: [{ name: "lazy", graph: loader }] });
  await server.get("/health");
  expect(loads).toBe(0);
  await server.post("/graphs/lazy/invoke", { input: { text: "a" } });
  expect(loads).toBe(1);
});
