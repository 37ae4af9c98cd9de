import { randomUUID } from "node:crypto";
import { Annotation, START, StateGraph } from "@langchain/langgraph";
import { LangGraphApp, type AppOptions } from "langgraph-functions";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { readSettings } from "../../src/settings.ts";
import { testDatabase, type TestDatabase } from "../support/database.ts";
import { asking, shout } from "../support/graphs.ts";
import { startReceiver } from "../support/receiver.ts";

/** In every secret; a part of each, so that one that is cut in pieces is found, too. */
const MARK = "hush7c1f";
const secret = (name: string): string => `${name}-${MARK}-${name}`;
const webhookSecret = `whsec_${Buffer.from(secret("webhook-signature")).toString("base64")}`;
const unsigned = webhookSecret.slice(6);
const encryptionKey = Buffer.from(MARK.repeat(4)).toString("base64");

beforeEach(() => {
  vi.stubEnv("WEBHOOK_SECRETS", webhookSecret);
  vi.stubEnv("ENCRYPTION_KEYS", `first:${encryptionKey}`);
  vi.stubEnv("RESUME_LINK_SECRETS", `${secret("link-before")}, ${secret("link-signature")}`);
  vi.stubEnv("OPENAI_API_KEY", secret("openai"));
  vi.stubEnv("FUNCTION_KEY", secret("function"));
  vi.stubEnv("ADMIN_KEY", secret("admin"));
});
afterEach(() => void vi.unstubAllEnvs());

/** A graph that tells everything that it knows when it fails. */
const telling = new StateGraph(Annotation.Root({ text: Annotation<string> }))
  .addNode("tell", () => {
    const { DATABASE_URL, OPENAI_API_KEY, ENCRYPTION_KEYS, RESUME_LINK_SECRETS } = process.env;
    const error = new Error(`cannot connect to ${DATABASE_URL} with ${OPENAI_API_KEY}`, {
      cause: new AggregateError([new Error(`refused ${DATABASE_URL}`)]),
    });
    throw Object.assign(error, {
      config: { headers: { Authorization: secret("unknown"), list: [DATABASE_URL] } },
      keys: [`${ENCRYPTION_KEYS}`, `the key ${encryptionKey}`, secret("link-before"), RESUME_LINK_SECRETS],
      url: `https://model.example/?code=${secret("code")}&a=1`,
    });
  })
  .addEdge(START, "tell")
  .compile();

interface Sent {
  readonly method?: string;
  readonly body?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

interface Told {
  readonly app: LangGraphApp;
  readonly ask: (path: string, init?: Sent) => Promise<Response>;
  /** Everything that was logged or answered, as text. */
  readonly all: () => string;
}

/** The app with every secret set, whose logs and answers are written down. */
function listening(databaseUrl: string, options: AppOptions = {}): Told {
  vi.stubEnv("DATABASE_URL", databaseUrl);
  const told: string[] = [];
  const log = (fields: object, message: string) => void told.push(message, written(fields));
  const app = new LangGraphApp({
    logger: { info: log, warn: log, error: log },
    webhooks: {
      allowPrivateAddresses: true,
      headers: { authorization: `Bearer ${secret("header")}` },
      retrySeconds: [],
    },
    store: {
      index: { dims: 2, embed: async () => Promise.reject(new Error(`no model for ${secret("openai")}`)) },
    },
    ...options,
  });
  for (const [name, graph] of Object.entries({ shout, telling, asking })) app.register({ name, graph });
  app.doors({ settings: readSettings() });
  const ask = async (path: string, init: Sent = {}): Promise<Response> => {
    const headers = {
      "content-type": "application/json",
      authorization: `Bearer ${secret("caller")}`,
      "x-api-key": secret("caller"),
      cookie: secret("caller"),
      ...init.headers,
    };
    const request = new Request(`http://localhost/api${path}`, { ...init, headers });
    const answer = await app.fetch(request, { authLevel: "admin" });
    told.push(JSON.stringify([...answer.headers]), await answer.clone().text().catch(String));
    return answer;
  };
  return { app, ask, all: () => told.join("\n") };
}

/** As loggers write errors: with all that is in them. */
function written(value: unknown): string {
  return JSON.stringify(value, (_, part: unknown) =>
    part instanceof Error
      ? {
          ...Object.fromEntries(Object.entries(part)),
          message: part.message,
          stack: part.stack,
          cause: part.cause,
          errors: part instanceof AggregateError ? part.errors : undefined,
        }
      : part,
  );
}

function expectQuiet(text: string): void {
  expect(text).not.toContain(MARK);
  expect(text).not.toContain(unsigned);
  expect(text).not.toContain(encryptionKey);
}

const post = (body: unknown): Sent => ({ method: "POST", body: JSON.stringify(body) });

function withPassword(url: string): string {
  const changed = new URL(url);
  changed.password = secret("database");
  return changed.href;
}

/** The database for somebody whose password is secret. */
async function secretUrl({ url, query }: TestDatabase): Promise<string> {
  const user = `user_${randomUUID().slice(0, 8)}`;
  await query(`create role ${user} superuser login password '${secret("database")}'`);
  const changed = new URL(withPassword(url));
  changed.username = user;
  return changed.href;
}

test("what goes right shows no secret: answers, pages, the OpenAPI document", async () => {
  await using database = await testDatabase();
  const { app, ask, all } = listening(await secretUrl(database));
  await using _ = app;
  const paths = [
    "/health",
    "/health/details",
    "/status",
    "/ok?check_db=1",
    "/info",
    "/openapi.json",
    "/docs",
    "/nowhere",
  ];
  for (const path of paths) await ask(`${path}${path.includes("?") ? "&" : "?"}code=${secret("code")}`);
  await ask("/graphs/shout/invoke", post({ input: { text: "a" } }));
  await ask("/threads", post({ metadata: {} }));
  await ask("/runs/wait", post({ assistant_id: "shout", input: { text: "a" } }));
  expect(all()).toContain('"openapi":"3.1.');
  expectQuiet(all());
});

test("a graph that fails with secrets in its error shows them nowhere: not in logs, answers, streams or states", async () => {
  await using database = await testDatabase();
  const { app, ask, all } = listening(await secretUrl(database));
  await using _ = app;
  const body = { assistant_id: "telling", input: { text: "a" } };
  await ask("/graphs/telling/invoke", post({ input: body.input }));
  await ask("/graphs/telling/stream", post({ input: body.input, stream_mode: "updates" }));
  await ask("/runs/wait", post(body));
  const stream_mode = ["values", "updates", "debug", "tasks", "events", "checkpoints", "messages"];
  await ask("/runs/stream", post({ ...body, stream_mode }));
  await ask("/threads/one/runs/wait", post({ ...body, if_not_exists: "create" }));
  await ask("/threads/one/state");
  await ask("/threads/one/history");
  await ask("/threads/one/runs");
  await ask("/threads/one");
  await ask(
    "/a2a/telling",
    post({
      jsonrpc: "2.0",
      id: 1,
      method: "message/send",
      params: {
        message: {
          kind: "message",
          role: "user",
          messageId: "1",
          parts: [{ kind: "data", data: { text: "a" } }],
        },
      },
    }),
  );
  await ask("/mcp", {
    ...post({
      jsonrpc: "2.0",
      id: 1,
      method: "tools/call",
      params: { name: "telling", arguments: { text: "a" } },
    }),
    headers: { accept: "application/json, text/event-stream" },
  });
  expect(all()).toContain("[hidden]");
  expectQuiet(all());
});

test("a webhook that fails, and embeddings that fail, are told of without their secrets", async () => {
  await using database = await testDatabase();
  await using receiver = await startReceiver({ statuses: [500] });
  const { app, ask, all } = listening(await secretUrl(database));
  await using _ = app;
  const webhook = `${receiver.url}/hook?token=${secret("token")}`;
  const gone = `http://127.0.0.1:1/hook?token=${secret("token")}`;
  for (const url of [webhook, gone])
    await app.fetch(
      new Request(
        "http://localhost/api/runs/wait",
        post({ assistant_id: "shout", input: { text: "a" }, webhook: url }),
      ),
      { authLevel: "admin" },
    );
  const [told] = await receiver.after(1);
  expect(told?.headers["authorization"]).toBe(`Bearer ${secret("header")}`);
  await vi.waitFor(() => expect(all().match(/A webhook was given up/g)).toHaveLength(2), {
    timeout: 10_000,
    interval: 20,
  });
  const embedding = await ask("/store/items", {
    ...post({ namespace: ["a"], key: "a", value: { a: 1 } }),
    method: "PUT",
  });
  expect(embedding.status).toBeGreaterThanOrEqual(500);
  expectQuiet(all());
});

test("a database that is away says so without saying where", async () => {
  const { app, ask, all } = listening(`postgres://ada:${secret("database")}@127.0.0.1:1/agents`);
  await using _ = app;
  expect((await ask("/threads/search", post({}))).status).toBe(503);
  expect((await ask("/ok?check_db=1")).status).toBe(503);
  expect((await ask("/graphs/shout/invoke", post({ input: { text: "a" } }))).status).toBe(503);
  await expect(app.ready()).rejects.toThrow();
  await app.ready().catch((error: unknown) => expectQuiet(written(error)));
  expect(all()).toContain("The database cannot be reached");
  expectQuiet(all());
});

test("a database that refuses the password says so without saying which", async () => {
  await using database = await testDatabase();
  const { app, ask, all } = listening(withPassword(database.url));
  await using _ = app;
  expect((await ask("/threads/search", post({}))).status).toBeGreaterThanOrEqual(500);
  expect(all()).toContain("password authentication failed");
  expectQuiet(all());
});
