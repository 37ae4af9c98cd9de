/** Serves an app on this machine, with a Postgres of its own, on the same code paths as in the cloud. */

import { join } from "node:path";
import type { LangGraphApp } from "../app.ts";
import { systemClock } from "../clock.ts";
import type { Doors } from "../core/model.ts";
import { AppError } from "../errors.ts";
import { readLocalSettings, type LocalSettings } from "../host-settings.ts";
import { isLoopback, listen } from "./listener.ts";
import { startEmbeddedPostgres } from "./postgres.ts";

export interface LocalOptions {
  /** 0 takes any free port. Default: the variable `PORT`, else 7071. */
  readonly port?: number | undefined;
  /** Default: the variable `HOST`, else 127.0.0.1. */
  readonly host?: string | undefined;
  /** Default: the variable `DATABASE_URL`, else an embedded Postgres. */
  readonly databaseUrl?: string | undefined;
  /** Where the embedded Postgres keeps its data. Default: `.langgraph-functions` in the working directory. */
  readonly dataFolder?: string;
  /** Empties the embedded Postgres first. */
  readonly fresh?: boolean | undefined;
  /** Keys to ask callers for. Default: the variables `FUNCTION_KEY` and `ADMIN_KEY`; without any, everything is open. */
  readonly keys?: { readonly function?: string; readonly admin?: string };
}

/** Disposing of it stops what runs, answers what is open, and stops the embedded Postgres. */
export interface LocalServer extends AsyncDisposable {
  /** With the app's route prefix: `http://127.0.0.1:7071/api`. */
  readonly url: string;
  /** For a person: which Postgres is used. */
  readonly database: string;
  /** The variable whose value callers send as `x-functions-key`; undefined when everything is open. */
  readonly keyVariable: "FUNCTION_KEY" | "ADMIN_KEY" | undefined;
  /** For a person: what is dangerous about the way in which it is served. */
  readonly warning: string | undefined;
}

const TICK_MS = 1_000;

/** @throws Error that says what to do when the port is taken, the database cannot be reached, or a setting is wrong */
export async function serveLocally(app: LangGraphApp, options: LocalOptions = {}): Promise<LocalServer> {
  const settings = readLocalSettings({
    ...(options.port === undefined ? {} : { PORT: String(options.port) }),
    ...(options.host === undefined ? {} : { HOST: options.host }),
    ...(options.databaseUrl === undefined ? {} : { DATABASE_URL: options.databaseUrl }),
    ...(options.keys === undefined
      ? {}
      : { FUNCTION_KEY: options.keys.function, ADMIN_KEY: options.keys.admin }),
  });
  const listener = await listen(settings);
  const opened: AsyncDisposable[] = [listener];
  const close = async (): Promise<void> => {
    listener.refuse();
    await disposeAll(opened.splice(0).toReversed());
  };
  try {
    const database = await openDatabase(settings, options);
    opened.push(database, app);
    const doors = app.doors({ settings: settings.app(database.url), logsIdleTicks: false });
    await app.ready().catch((error: unknown) => {
      throw explainDatabase(error, database.description, "; without DATABASE_URL there is an embedded one");
    });
    listener.serve(doors);
    opened.push(ticking(doors));
    return {
      url: `${listener.origin}${app.path}`,
      database: database.description,
      keyVariable: keyVariable(settings),
      warning: warning(app, settings),
      [Symbol.asyncDispose]: close,
    };
  } catch (error) {
    await close().catch(() => undefined); // what came first is what there is to tell
    throw error;
  }
}

/** Each of them, whatever becomes of the others. @throws what the first failure was */
async function disposeAll(parts: readonly AsyncDisposable[]): Promise<void> {
  const failures: unknown[] = [];
  for (const part of parts) {
    try {
      await part[Symbol.asyncDispose]();
    } catch (error) {
      failures.push(error);
    }
  }
  if (failures.length > 0) throw failures[0];
}

/** The app knows that its database cannot be used; here is known which one it is, and what to do. */
export function explainDatabase(error: unknown, database: string, advice = ""): Error {
  const cause = error instanceof AppError ? (error.cause ?? error) : error;
  const message = cause instanceof Error ? cause.message : String(cause);
  const code = cause instanceof Error && "code" in cause ? String(cause.code) : "";
  const isAway =
    error instanceof AppError && (/^E[A-Z]/.test(code) || /^(Connection|timeout) /.test(message));
  const text = isAway
    ? `cannot be reached: ${code === "" ? message : code}. Start it, or correct DATABASE_URL${advice}.`
    : `cannot be used. ${message}`;
  return new Error(`The database (${database}) ${text}`, { cause: error });
}

function warning({ hasAuth }: LangGraphApp, { host, keys }: LocalSettings): string | undefined {
  const isAsked = hasAuth || keys.function !== undefined || keys.admin !== undefined;
  if (isAsked || isLoopback(host)) return undefined;
  return `Everybody who reaches ${host} can do everything here: set FUNCTION_KEY, or give the app an auth.`;
}

function keyVariable({ keys }: LocalSettings): LocalServer["keyVariable"] {
  if (keys.function !== undefined) return "FUNCTION_KEY";
  return keys.admin === undefined ? undefined : "ADMIN_KEY";
}

interface LocalDatabase extends AsyncDisposable {
  readonly url: string;
  readonly description: string;
}

async function openDatabase(
  { databaseUrl }: LocalSettings,
  { dataFolder, fresh }: LocalOptions,
): Promise<LocalDatabase> {
  if (databaseUrl !== undefined) {
    if (fresh === true)
      throw new Error("--fresh empties the embedded Postgres only; DATABASE_URL names another one.");
    return {
      url: databaseUrl,
      description: nameOfDatabase(new URL(databaseUrl)),
      [Symbol.asyncDispose]: async () => undefined,
    };
  }
  const folder = dataFolder ?? join(process.cwd(), ".langgraph-functions");
  const embedded = await startEmbeddedPostgres({ folder, fresh: fresh ?? false });
  return { ...embedded, description: `embedded Postgres in ${embedded.folder}` };
}

/** Host, port and database; who asks, and with which password, is nobody's business. */
export function nameOfDatabase({ hostname, port, pathname, searchParams }: URL): string {
  const host = hostname === "" ? (searchParams.get("host") ?? "localhost") : hostname;
  return `${host}:${port === "" ? "5432" : port}${pathname}`;
}

function ticking(doors: Doors): AsyncDisposable {
  const stopped = new AbortController();
  let ticked: Promise<unknown> = Promise.resolve();
  const timer = systemClock.every(TICK_MS, async () => {
    ticked = doors.tick({ signal: stopped.signal, authLevel: "admin" }).catch(() => undefined); // the next one tries again
    await ticked;
  });
  return {
    [Symbol.asyncDispose]: async () => {
      stopped.abort();
      timer[Symbol.dispose]();
      await ticked; // it needs the database, which goes next
    },
  };
}
