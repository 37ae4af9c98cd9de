import { expect, test } from "vitest";
import { Hono } from "hono";
import { shout } from "../support/graphs.ts";
import { startServer } from "../support/server.ts";

const graphs = [{ name: "shout", graph: shout }];
const NAMES = new Set([
  "x-content-type-options",
  "x-frame-options",
  "content-security-policy",
  "cross-origin-resource-policy",
  "referrer-policy",
  "cache-control",
  "strict-transport-security",
]);
const OURS = {
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
  "content-security-policy": "frame-ancestors 'none'",
  "cross-origin-resource-policy": "same-origin",
  "referrer-policy": "no-referrer",
};

function policies({ headers }: { readonly headers: Headers }): Record<string, string> {
  return Object.fromEntries([...headers].filter(([name]) => NAMES.has(name)));
}

test("results, errors, empty answers and streams alike tell browsers what to leave alone", async () => {
  await using server = await startServer({ graphs });
  const data = { ...OURS, "cache-control": "no-store" };
  expect(policies(await server.get("/health"))).toEqual(data);
  expect(policies(await server.get("/nowhere"))).toEqual(data);
  expect(policies(await server.get("/threads", { method: "PATCH" }))).toEqual(data);
  expect(policies(await server.post("/graphs/shout/invoke", "{"))).toEqual(data);
  expect(policies(await server.post("/runs/wait", { assistant_id: "shout", input: { text: "a" } }))).toEqual(
    data,
  );
  await server.post("/threads", { thread_id: "9ee9f7e0-4e0c-4b5b-8a52-3a1f6f2f9f4e" });
  const gone = await server.get("/threads/9ee9f7e0-4e0c-4b5b-8a52-3a1f6f2f9f4e", { method: "DELETE" });
  expect(policies(gone)).toEqual(data);
  const stopped = await server.post("/runs/cancel", { status: "all" });
  expect([stopped.status, policies(stopped)]).toEqual([204, data]);
  const stream = await server.post("/graphs/shout/stream", { input: { text: "a" } });
  expect(policies(stream)).toEqual({ ...OURS, "cache-control": "no-cache" });
});

test("the page of the documentation keeps its own policy", async () => {
  await using server = await startServer({ graphs });
  const page = policies(await server.get("/docs"));
  expect(page["content-security-policy"]).toMatch(/^default-src 'none'; .*frame-ancestors 'none'$/);
  expect(page).toMatchObject({ "x-frame-options": "DENY", "referrer-policy": "no-referrer" });
});

test("where pages of other origins may call, they may also embed what they got", async () => {
  await using server = await startServer({ graphs, cors: {} });
  expect(policies(await server.get("/health"))["cross-origin-resource-policy"]).toBe("cross-origin");
  const headers = { origin: "https://shop.example", "access-control-request-method": "POST" };
  expect(policies(await server.get("/threads", { method: "OPTIONS", headers }))).toEqual({
    ...OURS,
    "cross-origin-resource-policy": "cross-origin",
  });
});

test("browsers that came by https are to stay with it", async () => {
  await using server = await startServer({ graphs });
  const told = async (proto: string) =>
    policies(await server.get("/health", { headers: { "x-forwarded-proto": proto } }))[
      "strict-transport-security"
    ];
  expect(await told("https")).toBe("max-age=31536000");
  expect(await told("https, http")).toBe("max-age=31536000");
  expect(await told("http")).toBeUndefined();
  expect(await told("http, https")).toBeUndefined();
});

test("custom routes keep what they say themselves, also where their headers cannot be changed", async () => {
  const own = {
    "content-security-policy": "default-src 'self'",
    "x-frame-options": "SAMEORIGIN",
    "cache-control": "max-age=60",
  };
  const customRoutes = new Hono()
    .get("/own", (context) => context.json({}, 200, own))
    .get("/page", (context) => context.html("<p>hi"))
    .get("/away", () => Response.redirect("https://elsewhere.example/", 302))
    .get("/error", () => Response.error());
  await using server = await startServer({ graphs, customRoutes, cors: {} });
  const shared = { ...OURS, "cross-origin-resource-policy": "cross-origin" };
  expect(policies(await server.get("/own"))).toEqual({ ...shared, ...own });
  const { "referrer-policy": _, ...page } = shared;
  expect(policies(await server.get("/page"))).toEqual(page);
  const away = await server.get("/away", { redirect: "manual" });
  expect([away.status, policies(away)]).toEqual([302, shared]);
  expect((await server.get("/error")).status).toBe(500);
});
