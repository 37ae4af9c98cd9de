/**
 * A stand-in for the Azure Functions host, for tests: it runs a built app with the real `@azure/functions` in a worker
 * process and treats it as the host does, over real HTTP. What is known of the host: notes on its source, 2026-11.
 */
import { once } from "node:events";
import http from "node:http";
import { isAllowed, type Keys } from "./keys.ts";
import {
  httpInvocation,
  queueInvocation,
  type InvocationRequest,
  type RegisteredFunction,
  timerInvocation,
} from "./protocol.ts";
import { forward, listen } from "./proxy.ts";
import { createRouter } from "./routes.ts";
import { type Outcome, startWorker, type Worker, type WorkerOptions } from "./worker.ts";

export interface AzureHostOptions extends WorkerOptions {
  /** The keys that callers need; false, as on a developer's machine, lets everyone in. */
  readonly keys?: Partial<Keys> | false;
  readonly hostJson?: { readonly extensions?: { readonly http?: { readonly routePrefix?: string } } };
}

export class AzureHost implements AsyncDisposable {
  /** With the route prefix: `http://127.0.0.1:PORT/api`. */
  readonly url: string;
  readonly keys: Keys | false;
  /** What the worker process printed and logged. */
  readonly output: readonly string[];
  readonly #server: http.Server;
  readonly #agent: http.Agent;
  readonly #worker: Worker;

  constructor(parts: {
    url: string;
    keys: Keys | false;
    output: readonly string[];
    server: http.Server;
    agent: http.Agent;
    worker: Worker;
  }) {
    this.url = parts.url;
    this.keys = parts.keys;
    this.output = parts.output;
    this.#server = parts.server;
    this.#agent = parts.agent;
    this.#worker = parts.worker;
  }

  get functions(): readonly RegisteredFunction[] {
    return this.#worker.functions;
  }

  /** The invocations that have ended, failures included. */
  get outcomes(): readonly Outcome[] {
    return this.#worker.outcomes;
  }

  /** Fires a timer function once. @throws if the invocation fails. */
  async invokeTimer(functionName: string): Promise<unknown> {
    return this.#invoke(functionName, timerInvocation);
  }

  /** Delivers one queue message once. @throws if the invocation fails: the real host would deliver it again. */
  async invokeQueue(functionName: string, body: unknown, dequeueCount = 1): Promise<unknown> {
    const text = typeof body === "string" ? body : JSON.stringify(body);
    return this.#invoke(functionName, (fn) => queueInvocation(fn, text, dequeueCount));
  }

  /** Stops the worker as a scale-in does. "killed" if the app did not stop within the host's five seconds. */
  terminate(): Promise<"exited" | "killed"> {
    return this.#worker.terminate();
  }

  /** Ends the worker process at once, as a crash does. */
  kill(): Promise<void> {
    return this.#worker.kill();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    this.#agent.destroy();
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, "close");
  }

  async #invoke(
    functionName: string,
    request: (fn: RegisteredFunction) => InvocationRequest,
  ): Promise<unknown> {
    const fn = this.functions.find(({ name }) => name === functionName);
    if (!fn) throw new Error(`The app has no function "${functionName}"`);
    const outcome = await this.#worker.invoke(functionName, request(fn));
    if (outcome.error !== undefined) throw new Error(outcome.error);
    return outcome.returnValue;
  }
}

/** @throws with the worker's output if the app does not start, or has functions that the host would refuse. */
export async function startAzureHost(options: AzureHostOptions): Promise<AzureHost> {
  const keys: Keys | false = options.keys !== false && {
    function: "function-key",
    admin: "admin-key",
    ...options.keys,
  };
  const prefix = options.hostJson?.extensions?.http?.routePrefix ?? "api";
  const output: string[] = [];
  const worker = await startWorker(options, output);
  const agent = new http.Agent(); // none kept alive: a worker that closes one just as it is used would answer for nothing
  const server = http.createServer();
  try {
    server.on("request", serveHttp({ worker, prefix, keys, agent }));
  } catch (error) {
    await worker.kill();
    throw error;
  }
  const url = [`http://127.0.0.1:${await listen(server)}`, prefix].filter(Boolean).join("/");
  return new AzureHost({ url, keys, output, server, agent, worker });
}

function serveHttp(parts: {
  worker: Worker;
  prefix: string;
  keys: Keys | false;
  agent: http.Agent;
}): http.RequestListener {
  const { worker, keys, agent } = parts;
  const route = createRouter(worker.functions, parts.prefix);
  return (request, response) => {
    const url = new URL(`http://host${request.url}`);
    const match = route(request.method ?? "GET", url.pathname);
    if (!match) return void response.writeHead(404).end();
    const caller = { headers: request.headers, url };
    if (!isAllowed(match.authLevel, caller, keys)) return void response.writeHead(401).end();
    if (!worker.httpUri)
      return void response.writeHead(501).end("This host only streams: app.setup({ enableHttpStream })");
    if (worker.hasExited) return void response.writeHead(502).end();
    const invocation = httpInvocation(match.fn, caller, match.params);
    void worker.invoke(match.fn.name, invocation);
    forward(request, response, { uri: worker.httpUri, agent, invocationId: invocation.invocationId });
  };
}
