import { LangGraphApp, type AppOptions, type GraphOptions } from "langgraph-functions";
import { serveLocally, type LocalOptions } from "langgraph-functions/local";
import { testDatabase, type TestDatabase } from "./database.ts";
import { unlisted } from "./observability.ts";

/** What the app logged, for tests that look for it there. */
export interface LogEntry {
  readonly fields: object;
  readonly message: string;
}

export interface TestServer extends AsyncDisposable {
  /** Ends with the prefix: `http://127.0.0.1:12345/api`. */
  readonly url: string;
  readonly database: TestDatabase;
  readonly errors: readonly LogEntry[];
  readonly warnings: readonly LogEntry[];
  readonly get: (path: string, init?: RequestInit) => Promise<Answer>;
  /** Sends a string as it is, anything else as JSON. */
  readonly post: (path: string, body: unknown, init?: RequestInit) => Promise<Answer>;
}

/** An answer, read to its end. */
export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** The text as JSON; undefined when it is none. */
  readonly body: unknown;
}

export interface ServerOptions extends AppOptions {
  readonly graphs: readonly GraphOptions[];
  readonly local?: LocalOptions;
}

/** The local server on a free port and a database of its own, reached over real HTTP. */
export async function startServer({ graphs, local, ...options }: ServerOptions): Promise<TestServer> {
  const database = await testDatabase();
  const errors: LogEntry[] = [];
  const warnings: LogEntry[] = [];
  const strange: string[] = [];
  const log = (level: string, lines?: LogEntry[]) => (fields: object, message: string) => {
    lines?.push({ fields, message });
    strange.push(...unlisted(level, fields, message));
  };
  const logger = { info: log("info"), warn: log("warn", warnings), error: log("error", errors) };
  const app = new LangGraphApp({ logger, ...options });
  for (const graph of graphs) app.register(graph);
  const server = await serveLocally(app, { port: 0, databaseUrl: database.url, ...local });
  const send = async (path: string, init?: RequestInit): Promise<Answer> => {
    const response = await fetch(`${server.url}${path}`, init);
    const text = await response.text();
    return { status: response.status, headers: response.headers, text, body: parseJson(text) };
  };
  return {
    url: server.url,
    database,
    errors,
    warnings,
    get: send,
    post: async (path, body, init) =>
      send(path, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: typeof body === "string" ? body : JSON.stringify(body),
        ...init,
      }),
    [Symbol.asyncDispose]: async () => {
      await server[Symbol.asyncDispose]();
      await database[Symbol.asyncDispose]();
      if (strange.length > 0)
        throw new Error(`docs/observability.md does not tell of these log lines:\n${strange.join("\n")}`);
    },
  };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
