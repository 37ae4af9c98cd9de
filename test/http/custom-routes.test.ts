import { Hono } from "hono";
import { HTTPException } from "hono/http-exception";
import { expect, test } from "vitest";
import { LangGraphApp } from "langgraph-functions";
import { shout } from "../support/graphs.ts";
import { startServer } from "../support/server.ts";

const graphs = [{ name: "shout", graph: shout }];
const local = { keys: { function: "key" } };
const withKey = { headers: { "x-functions-key": "key" } };

function routes(): Hono {
  const app = new Hono();
  app.use(async (context, next) => {
    context.header("x-before", "set early");
    if (context.req.method === "POST") await context.req.text();
    await next();
    context.header("x-after", String(context.res.status));
  });
  app.get("/hello/:name", ({ req, json }) => json({ hello: req.param("name") }));
  app.get("/health", ({ json }) => json({ status: "mine" }));
  app.get("/admin/graphs", ({ text }) => text("mine"));
  app.get("/teapot", () => {
    throw new HTTPException(418, { message: "short and stout" });
  });
  app.get("/bug", () => {
    throw new Error("secret");
  });
  return app;
}

test("a Hono app's routes come before ours, and its middleware sees our requests too", async () => {
  await using server = await startServer({ graphs, customRoutes: routes() });
  expect((await server.get("/hello/ada")).body).toEqual({ hello: "ada" });
  expect((await server.get("/health")).body).toEqual({ status: "mine" });
  const invoked = await server.post("/graphs/shout/invoke", { input: { text: "a" } }); // read by the middleware before
  expect(invoked.body).toEqual({ output: { text: "a!" } });
  expect([invoked.headers.get("x-before"), invoked.headers.get("x-after")]).toEqual(["set early", "200"]);
  const missing = await server.get("/nowhere");
  expect([missing.status, missing.headers.get("x-after")]).toEqual([404, "404"]);
});

test("its errors are answered as Hono does those that are meant, and as ours those that are not", async () => {
  await using server = await startServer({ graphs, customRoutes: routes() });
  expect(await server.get("/teapot")).toMatchObject({ status: 418, text: "short and stout" });
  const bug = await server.get("/bug");
  expect(bug).toMatchObject({ status: 500, body: { error: "internal" } });
  expect(bug.text).not.toContain("secret");
  expect(server.errors).toMatchObject([{ fields: { err: { message: "secret" } } }]);
});

test("custom routes need the app's key, and in the place of ours the level of ours", async () => {
  const admin = { name: "admin", graph: shout, authLevel: "admin" } as const;
  const app = routes().post("/graphs/admin/invoke", ({ text }) => text("mine"));
  await using server = await startServer({ graphs: [admin], customRoutes: app, local });
  expect(await server.get("/hello/ada")).toMatchObject({ status: 401 });
  expect(await server.get("/nowhere")).toMatchObject({ status: 401 });
  expect(await server.get("/hello/ada", withKey)).toMatchObject({ status: 200 });
  expect(await server.get("/health")).toMatchObject({ body: { status: "mine" } }); // ours is open to all
  expect(await server.post("/graphs/admin/invoke", {}, withKey)).toMatchObject({ status: 403 });
});

test("anything else with a fetch gets what no route of ours takes, below the prefix", async () => {
  const customRoutes = {
    fetch: async (request: Request) => {
      const { pathname, search } = new URL(request.url);
      return Response.json({ path: `${pathname}${search}`, body: await request.text() });
    },
  };
  await using server = await startServer({ graphs, customRoutes, local });
  expect(await server.get("/anything?a=1")).toMatchObject({ status: 401 });
  expect((await server.get("/anything?a=1", withKey)).body).toEqual({ path: "/anything?a=1", body: "" });
  const posted = await server.post("/anything", "text", withKey);
  expect(posted.body).toEqual({ path: "/anything", body: "text" });
  expect((await server.get("/health")).body).toMatchObject({ status: "ok" });
  const outside = await fetch(new URL("/elsewhere", server.url), withKey);
  expect(outside.status).toBe(404);
});

test("a loader is followed by the first request, and again after it has failed", async () => {
  let calls = 0;
  const customRoutes = async () => {
    calls += 1;
    if (calls === 1) throw new Error("not yet");
    return routes();
  };
  await using server = await startServer({ graphs, customRoutes });
  expect(calls).toBe(0);
  expect(await server.get("/hello/ada")).toMatchObject({ status: 500, body: { error: "internal" } });
  expect((await server.get("/hello/ada")).body).toEqual({ hello: "ada" });
  await server.get("/hello/ada");
  expect(calls).toBe(2);
});

test("what takes no requests is refused", () => {
  const customRoutes = JSON.parse('{"routes":[]}');
  expect(() => new LangGraphApp({ customRoutes })).toThrow("customRoutes: must be a Hono app");
});
