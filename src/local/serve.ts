/** Serves an app on this machine, with a Postgres of its own, on the same code paths as in the cloud. */

import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import { join } from "node:path";
import { getRequestListener, type Http2Bindings, type HttpBindings } from "@hono/node-server";
import type { LangGraphApp } from "../app.ts";
import { systemClock } from "../clock.ts";
import type { Doors } from "../core/model.ts";
import { readLocalSettings, readSettings, type LocalSettings } from "../settings.ts";
import { grantedLevel } from "./keys.ts";
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
}

const TICK_MS = 1_000;

/** @throws Error that says what to do when the port is taken, the database cannot be reached, or a setting is wrong */
export async function serveLocally(app: LangGraphApp, options: LocalOptions = {}): Promise<LocalServer> {
  const settings = readLocalSettings({
    ...(options.port === undefined ? {} : { PORT: String(options.port) }),
    ...(options.host === undefined ? {} : { HOST: options.host }),
    ...(options.databaseUrl === undefined ? {} : { DATABASE_URL: options.databaseUrl }),
    ...(options.keys === undefined ? {} : { FUNCTION_KEY: options.keys.function, ADMIN_KEY: options.keys.admin }),
  });
  const opened: AsyncDisposable[] = [];
  const closeAll = async (): Promise<void> => {
    for (const part of opened.splice(0).toReversed()) await part[Symbol.asyncDispose]();
  };
  try {
    // Listening comes first, so that a taken port is known before anything has started; requests wait for the rest.
    let serve: (doors: Doors) => void = () => undefined;
    const whenServing = new Promise<Doors>((resolve) => (serve = resolve));
    const listener = await listen(settings, whenServing);
    opened.push(listener);
    const database = await openDatabase(settings, options);
    opened.push(database, app);
    const doors = app.doors(readSettings({ DATABASE_URL: database.url }));
    await app.ready();
    serve(doors);
    opened.push(ticking(doors));
    return { url: `${listener.origin}${app.path}`, database: database.description, [Symbol.asyncDispose]: closeAll };
  } catch (error) {
    await closeAll();
    throw error;
  }
}

interface Listener extends AsyncDisposable {
  readonly origin: string;
}

async function listen({ port, host, keys }: LocalSettings, whenServing: Promise<Doors>): Promise<Listener> {
  const server = createServer(requestListener(whenServing, keys));
  server.listen(port, host);
  try {
    await once(server, "listening");
  } catch (error) {
    const isTaken = error instanceof Error && "code" in error && error.code === "EADDRINUSE";
    if (!isTaken) throw new Error(`Cannot listen on ${host}:${port}: ${String(error)}`, { cause: error });
    throw new Error(`Port ${port} is taken. Stop what uses it, or choose another one: PORT=${port + 1} npm start`, { cause: error });
  }
  const address = server.address();
  const actualPort = typeof address === "object" && address !== null ? address.port : port;
  const name = host.includes(":") ? `[${host}]` : host;
  return {
    origin: `http://${name}:${actualPort}`,
    [Symbol.asyncDispose]: async () => {
      const closed = new Promise((done) => server.close(done));
      server.closeIdleConnections();
      await closed;
    },
  };
}

interface LocalDatabase extends AsyncDisposable {
  readonly url: string;
  readonly description: string;
}

async function openDatabase({ databaseUrl }: LocalSettings, { dataFolder, fresh }: LocalOptions): Promise<LocalDatabase> {
  if (databaseUrl !== undefined) {
    if (fresh === true) throw new Error("--fresh empties the embedded Postgres only; DATABASE_URL names another one.");
    const { host, pathname } = new URL(databaseUrl);
    return { url: databaseUrl, description: `${host}${pathname}`, [Symbol.asyncDispose]: async () => undefined };
  }
  const folder = dataFolder ?? join(process.cwd(), ".langgraph-functions");
  const embedded = await startEmbeddedPostgres({ folder, fresh: fresh ?? false });
  return { ...embedded, description: `embedded Postgres in ${folder}` };
}

function requestListener(whenServing: Promise<Doors>, keys: LocalSettings["keys"]): RequestListener {
  const handle = async (request: Request, { incoming }: HttpBindings | Http2Bindings): Promise<Response> => {
    const { remoteAddress } = incoming.socket;
    return (await whenServing).fetch(request, {
      signal: request.signal,
      authLevel: grantedLevel(keys, request),
      ...(remoteAddress === undefined ? {} : { address: remoteAddress }),
    });
  };
  const listener = getRequestListener(handle, { overrideGlobalObjects: false });
  return (incoming, outgoing) => void listener(incoming, outgoing);
}

function ticking(doors: Doors): AsyncDisposable {
  const stopped = new AbortController();
  const timer = systemClock.every(TICK_MS, async () => {
    await doors.tick({ signal: stopped.signal, authLevel: "admin" }).catch(() => undefined); // the next one tries again
  });
  return {
    [Symbol.asyncDispose]: async () => {
      stopped.abort();
      timer[Symbol.dispose]();
    },
  };
}
