import { expect, test } from "vitest";
import { Hono } from "hono";
import { shout } from "../support/graphs.ts";
import { startServer } from "../support/server.ts";

const graphs = [{ name: "shout", graph: shout }];
const ID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

async function idOf(answer: Promise<{ readonly headers: Headers }>): Promise<string | null> {
  return (await answer).headers.get("x-request-id");
}

test("every answer has an id: results, errors, preflights, streams and what does not exist", async () => {
  await using server = await startServer({ graphs, cors: {} });
  const preflight = { origin: "https://shop.example", "access-control-request-method": "POST" };
  const ids = await Promise.all([
    idOf(server.get("/health")),
    idOf(server.get("/health")),
    idOf(server.get("/nowhere")),
    idOf(server.get("/threads", { method: "PATCH" })),
    idOf(server.get("/threads", { method: "OPTIONS", headers: preflight })),
    idOf(server.post("/graphs/shout/stream", { input: { text: "a" } })),
    idOf(server.post("/graphs/shout/invoke", "{")),
    idOf(server.get("/docs")),
  ]);
  for (const id of ids) expect(id).toMatch(ID);
  expect(new Set(ids).size).toBe(ids.length);
});

test("a client's own id is taken, unless it is none", async () => {
  await using server = await startServer({ graphs });
  const answered = async (id: string) => idOf(server.get("/health", { headers: { "x-request-id": id } }));
  for (const id of ["a", "7 of 9 ~!", "x".repeat(128)]) expect(await answered(id)).toBe(id);
  for (const id of ["x".repeat(129), "ä", "a\tb", ""]) expect(await answered(id)).toMatch(ID);
});

test("what is logged about a request has its id, and the id that the client is shown of the error", async () => {
  const fails = { name: "fails", graph: () => Promise.reject(new Error("no graph")) };
  await using server = await startServer({ graphs: [...graphs, fails] });
  const ask = async (id: string) =>
    server.post(
      "/graphs/fails/invoke",
      { input: {} },
      { headers: { "content-type": "application/json", "x-request-id": id } },
    );
  const [one, two] = await Promise.all([ask("one"), ask("two")]);
  for (const [id, answer] of [
    ["one", one],
    ["two", two],
  ] as const) {
    const lines = server.errors.filter(({ fields }) => "request_id" in fields && fields.request_id === id);
    const shown = /error id ([0-9a-f-]{36})/.exec(answer.text)?.[1];
    expect(shown).toBeDefined();
    expect(lines.map(({ fields }) => "error_id" in fields && fields.error_id)).toContain(shown);
  }
});

test("custom routes keep an id of their own", async () => {
  const customRoutes = new Hono()
    .get("/own", (context) => context.text("mine", 200, { "x-request-id": "mine" }))
    .get("/none", (context) => context.text("none"));
  await using server = await startServer({ graphs, customRoutes });
  expect(await idOf(server.get("/own"))).toBe("mine");
  expect(await idOf(server.get("/none", { headers: { "x-request-id": "theirs" } }))).toBe("theirs");
});
