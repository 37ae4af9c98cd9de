import { expect, test } from "vitest";
import { LangGraphApp, type AppOptions } from "langgraph-functions";
import { shout } from "../support/graphs.ts";
import { startServer } from "../support/server.ts";

const origin = "https://shop.example";
const asked = {
  origin,
  "access-control-request-method": "POST",
  "access-control-request-headers": "content-type,x-api-key",
};
const local = { keys: { function: "key" } };

/** The headers of CORS in an answer. */
function allowed(headers: Headers): Record<string, string> {
  const names = [...headers].filter(([name]) => name.startsWith("access-control-") || name === "vary");
  return Object.fromEntries(names);
}

test("without the option, pages of other origins are told nothing", async () => {
  await using server = await startServer({ graphs: [{ name: "shout", graph: shout }] });
  expect(allowed((await server.get("/health", { headers: { origin } })).headers)).toEqual({});
  const preflight = await server.get("/threads", { method: "OPTIONS", headers: asked });
  expect([preflight.status, allowed(preflight.headers)]).toEqual([405, {}]);
});

test("a preflight needs no key; the request after it does, and its refusal can be read by the page", async () => {
  await using server = await startServer({ graphs: [{ name: "shout", graph: shout }], cors: {}, local });
  const preflight = await server.get("/threads", { method: "OPTIONS", headers: asked });
  expect([preflight.status, allowed(preflight.headers)]).toEqual([
    204,
    {
      "access-control-allow-origin": "*",
      "access-control-allow-methods": "GET,HEAD,PUT,POST,DELETE,PATCH",
      "access-control-allow-headers": "content-type,x-api-key",
      vary: "Access-Control-Request-Headers",
    },
  ]);
  const refused = await server.post("/threads", {}, { headers: { origin } });
  expect([refused.status, refused.headers.get("access-control-allow-origin")]).toEqual([401, "*"]);
});

test("each option has its effect", async () => {
  const cors = {
    allowOrigins: [origin],
    allowOriginRegex: String.raw`https://\w+\.shop\.example`,
    allowMethods: ["GET"],
    allowHeaders: ["x-one"],
    allowCredentials: true,
    exposeHeaders: ["X-Two"],
    maxAgeSeconds: 60,
  };
  await using server = await startServer({ graphs: [{ name: "shout", graph: shout }], cors });
  const preflight = await server.get("/threads", { method: "OPTIONS", headers: asked });
  expect(allowed(preflight.headers)).toEqual({
    "access-control-allow-origin": origin,
    "access-control-allow-methods": "GET",
    "access-control-allow-headers": "x-one",
    "access-control-allow-credentials": "true",
    "access-control-max-age": "60",
    vary: "Origin",
  });
  const answer = await server.get("/health", { headers: { origin } });
  expect(allowed(answer.headers)).toEqual({
    "access-control-allow-origin": origin,
    "access-control-allow-credentials": "true",
    "access-control-expose-headers":
      "content-location,location,x-pagination-total,x-pagination-next,retry-after,ratelimit,ratelimit-policy,x-request-id,x-two",
    vary: "Origin",
  });
  const originOf = async (other: string) =>
    (await server.get("/health", { headers: { origin: other } })).headers.get("access-control-allow-origin");
  expect(await originOf("https://eu.shop.example")).toBe("https://eu.shop.example");
  expect(await originOf("https://eu.shop.example.evil")).toBeNull();
  expect(await originOf("https://evil/https://eu.shop.example")).toBeNull();
  expect(await originOf("null")).toBeNull();
});

test.for<[AppOptions, string]>([
  [{ cors: { allowCredentials: true } }, "cors: allowCredentials needs origins that are named"],
  [{ cors: { allowOrigins: ["*"], allowCredentials: true } }, "cors: allowCredentials needs origins"],
  [{ cors: { allowOriginRegex: "(" } }, "cors.allowOriginRegex: must be a regular expression"],
])("%j is refused", ([options, message]) => {
  expect(() => new LangGraphApp(options)).toThrow(message);
});
