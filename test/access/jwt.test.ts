/** Callers who bring a token of an identity provider. */

import { createServer } from "node:http";
import { once } from "node:events";
import { exportJWK, generateKeyPair, SignJWT, type CryptoKey, type JWTPayload } from "jose";
import { afterAll, beforeAll, expect, test } from "vitest";
import { jwt, LangGraphApp, type AuthOption } from "langgraph-functions";
import { Annotation, START, StateGraph } from "@langchain/langgraph";
import { startServer, type Answer, type TestServer } from "../support/server.ts";
import { shout } from "../support/graphs.ts";

const SECRET = "a secret of more than thirty-two bytes";
const AUDIENCE = "agents";

/** Tells who its caller is. */
const whoami = new StateGraph(Annotation.Root({ caller: Annotation<unknown> }))
  .addNode("tell", (_, { configurable }) => ({
    caller: {
      user: configurable?.["langgraph_auth_user"],
      id: configurable?.["langgraph_auth_user_id"],
      permissions: configurable?.["langgraph_auth_permissions"],
    },
  }))
  .addEdge(START, "tell")
  .compile();

/** An identity provider with its keys and its configuration. */
async function startIssuer() {
  const keys = { rsa: await generateKeyPair("RS256"), ec: await generateKeyPair("ES256") };
  const published = new Set(["rsa", "ec"]);
  let isAway = false;
  let asked = 0;
  const server = createServer((request, response) => {
    void (async () => {
      asked += 1;
      response.statusCode = isAway ? 503 : 200;
      const jwks = await Promise.all(
        Object.entries(keys)
          .filter(([kid]) => published.has(kid))
          .map(async ([kid, { publicKey }]) => ({ ...(await exportJWK(publicKey)), kid })),
      );
      const isConfiguration = request.url === "/.well-known/openid-configuration";
      response.end(JSON.stringify(isConfiguration ? { issuer, jwks_uri: `${issuer}/keys` } : { keys: jwks }));
    })();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  const issuer = `http://127.0.0.1:${typeof address === "object" && address !== null ? address.port : 0}`;
  return {
    issuer,
    keys,
    asked: () => asked,
    away: (state: boolean) => (isAway = state),
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
    },
  };
}

type Issuer = Awaited<ReturnType<typeof startIssuer>>;

let issuer: Issuer;
let bySecret: TestServer;
let byKeys: TestServer;

async function serve(auth: AuthOption): Promise<TestServer> {
  return startServer({
    auth,
    graphs: [
      { name: "whoami", graph: whoami },
      { name: "open", graph: whoami, authLevel: "anonymous" },
    ],
  });
}

beforeAll(async () => {
  issuer = await startIssuer();
  bySecret = await serve(jwt({ secret: SECRET, audience: AUDIENCE, issuer: "https://login.example.com" }));
  byKeys = await serve(jwt({ issuer: issuer.issuer, audience: AUDIENCE }));
});

afterAll(async () => {
  await bySecret[Symbol.asyncDispose]();
  await byKeys[Symbol.asyncDispose]();
  await issuer[Symbol.asyncDispose]();
});

const now = (): number => Math.floor(new Date().getTime() / 1_000);

function claims(changes: { readonly [claim: string]: unknown } = {}): JWTPayload {
  return { sub: "ada", iss: "https://login.example.com", aud: AUDIENCE, exp: now() + 60, ...changes };
}

async function hs256(payload: JWTPayload, secret = SECRET, alg = "HS256"): Promise<string> {
  return new SignJWT(payload).setProtectedHeader({ alg }).sign(new TextEncoder().encode(secret));
}

async function signed(payload: JWTPayload, kid: "rsa" | "ec", key?: CryptoKey): Promise<string> {
  const alg = kid === "rsa" ? "RS256" : "ES256";
  return new SignJWT({ ...payload, iss: issuer.issuer })
    .setProtectedHeader({ alg, kid })
    .sign(key ?? issuer.keys[kid].privateKey);
}

async function ask(server: TestServer, token: string | undefined, graph = "whoami"): Promise<Answer> {
  const headers = {
    "content-type": "application/json",
    ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
  };
  return server.post(`/graphs/${graph}/invoke`, { input: {} }, { headers });
}

test("a graph finds who its caller is, with what the token says of them", async () => {
  const token = await hs256(claims({ name: "Ada Lovelace", scope: "read write", org: "engines" }));
  const { status, body } = await ask(bySecret, token);
  expect(status).toBe(200);
  expect(body).toMatchObject({
    output: {
      caller: {
        id: "ada",
        permissions: ["read", "write"],
        user: {
          identity: "ada",
          display_name: "Ada Lovelace",
          is_authenticated: true,
          permissions: ["read", "write"],
          org: "engines",
        },
      },
    },
  });
});

test.each(["rsa", "ec"] as const)("a token that is signed with the issuer's %s key lets in", async (kid) => {
  expect((await ask(byKeys, await signed(claims(), kid))).status).toBe(200);
});

test("a request without a token is told what is wanted", async () => {
  const { status, body, headers } = await ask(bySecret, undefined);
  expect(status).toBe(401);
  expect(body).toEqual({ error: "unauthorized", detail: "Sign in: the request has no credentials" });
  expect(headers.get("www-authenticate")).toBe("Bearer");
});

const WRONG: readonly [what: string, token: () => Promise<string>, detail: string][] = [
  ["has expired", async () => hs256(claims({ exp: now() - 60 })), "The token has expired"],
  ["never expires", async () => hs256(claims({ exp: undefined })), "claim exp is missing"],
  ["is not valid yet", async () => hs256(claims({ nbf: now() + 60 })), "claim nbf is missing, or is not"],
  ["is of another issuer", async () => hs256(claims({ iss: "https://evil.example.com" })), "claim iss"],
  ["is for another audience", async () => hs256(claims({ aud: "others" })), "claim aud"],
  ["names nobody", async () => hs256(claims({ sub: undefined })), "claim sub is missing"],
  ["names nobody by name", async () => hs256(claims({ sub: "" })), "claim sub must be a text"],
  [
    "was signed with another secret",
    async () => hs256(claims(), SECRET.toUpperCase()),
    "not one that was signed",
  ],
  [
    "was signed by another algorithm",
    async () => hs256(claims(), SECRET, "HS512"),
    "not one that was signed",
  ],
  [
    "was not signed",
    async () => {
      const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64url");
      return `${part({ alg: "none", typ: "JWT" })}.${part(claims())}.`;
    },
    "not one that was signed",
  ],
  ["is no token", async () => "rubbish", "not one that was signed"],
];

test.each(WRONG)("a token that %s lets nobody in", async (_, token, detail) => {
  const { status, body, headers } = await ask(bySecret, await token());
  expect(status).toBe(401);
  expect(body).toMatchObject({ error: "unauthorized", detail: expect.stringContaining(detail) });
  expect(headers.get("www-authenticate")).toMatch(/^Bearer error="invalid_token"/);
});

test("clocks may be a little apart", async () => {
  expect((await ask(bySecret, await hs256(claims({ exp: now() - 2 })))).status).toBe(200);
});

test("a public key does not pass for a secret, and a stranger's key for the issuer's", async () => {
  const jwk = JSON.stringify(await exportJWK(issuer.keys.rsa.publicKey));
  const stranger = await generateKeyPair("RS256");
  for (const token of [
    await hs256(claims({ iss: issuer.issuer }), jwk),
    await signed(claims(), "rsa", stranger.privateKey),
  ]) {
    expect((await ask(byKeys, token)).status).toBe(401);
  }
});

test("a token that cannot be checked just now is no wrong one", async () => {
  await using away = await startIssuer();
  away.away(true);
  await using server = await serve(jwt({ issuer: away.issuer, audience: AUDIENCE }));
  const token = await new SignJWT(claims({ iss: away.issuer }))
    .setProtectedHeader({ alg: "RS256", kid: "rsa" })
    .sign(away.keys.rsa.privateKey);
  const { status, headers } = await ask(server, token);
  expect(status).toBe(503);
  expect(headers.get("retry-after")).toBe("5");
  away.away(false);
  expect((await ask(server, token)).status).toBe(200);
});

test("the issuer's keys are asked for once", async () => {
  await ask(byKeys, await signed(claims(), "rsa"));
  const before = issuer.asked();
  for (let times = 0; times < 3; times += 1) await ask(byKeys, await signed(claims(), "ec"));
  expect(issuer.asked()).toBe(before);
});

test("an open graph takes callers without a token, and still no wrong one", async () => {
  expect((await ask(bySecret, undefined, "open")).body).toEqual({ output: { caller: {} } });
  expect((await ask(bySecret, await hs256(claims()), "open")).body).toMatchObject({
    output: { caller: { id: "ada" } },
  });
  expect((await ask(bySecret, "rubbish", "open")).status).toBe(401);
});

test("health and the page of the documentation ask nobody; the document itself does", async () => {
  const statuses = await Promise.all(
    ["/health", "/ok", "/info", "/docs", "/health/details", "/openapi.json"].map(
      async (path) => (await bySecret.get(path)).status,
    ),
  );
  expect(statuses).toEqual([200, 200, 200, 200, 401, 401]);
  const headers = { authorization: `Bearer ${await hs256(claims())}` };
  expect((await bySecret.get("/openapi.json", { headers })).body).toMatchObject({
    components: { securitySchemes: { signIn: { type: "http", scheme: "bearer", bearerFormat: "JWT" } } },
    paths: {
      "/health": { get: { security: [] } },
      "/graphs/whoami/invoke": { post: { security: [{ signIn: [] }] } },
      "/graphs/open/invoke": { post: { security: [] } },
    },
  });
});

test.each([
  [{}, "secret: is missing"],
  [{ secret: "short" }, "secret: must have at least 32 bytes"],
  [{ issuer: "not an address" }, "issuer: must be an address"],
  [{ issuer: "http://login.example.com" }, "issuer: must begin with https://"],
  [{ jwksUrl: "http://login.example.com/keys" }, "jwksUrl: must begin with https://"],
  [{ secret: SECRET, jwksUrl: "https://login.example.com/keys" }, "secret: give either"],
  [{ secret: SECRET, algorithms: ["RS256"] }, "algorithms: RS256 does not go with these keys"],
  [{ jwksUrl: "https://login.example.com/keys", algorithms: ["HS256"] }, "algorithms: HS256 does not"],
  [{ jwksUrl: "https://login.example.com/keys", algorithms: ["none"] }, "algorithms: none does not"],
])("jwt(%j) is refused: %s", (options, message) => {
  expect(() => jwt(options)).toThrow(message);
});

test("a user's claims say nothing that is the server's to say", async () => {
  const token = await hs256(claims({ identity: "bob", permissions: ["admin"], is_authenticated: false }));
  expect((await ask(bySecret, token)).body).toMatchObject({
    output: { caller: { id: "ada", user: { identity: "ada", is_authenticated: true } } },
  });
});

test("an app that does not say who may call it is not served in the cloud", () => {
  const open = new LangGraphApp({ authLevel: "anonymous" }).register({ name: "shout", graph: shout });
  expect(() => open.checkDeployable()).toThrow('write auth: "none"');
  for (const options of [{ auth: "none" }, {}, { auth: jwt({ secret: SECRET }) }] as const)
    expect(() => new LangGraphApp(options).checkDeployable()).not.toThrow();
  expect(() => new LangGraphApp({ allowStudio: true }).checkDeployable()).toThrow("allowStudio");
});
