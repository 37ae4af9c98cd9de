/**
 * A stand-in for AWS Lambda, for tests: it runs a built entry on the genuine runtime (`aws-lambda-ric`), in sandboxes that
 * are frozen between invocations and killed at the deadline, and offers it at a Function URL, over real HTTP.
 */
import { once } from "node:events";
import http from "node:http";
import { functionUrl } from "./function-url.ts";
import type { Invocation, Report } from "./invocation.ts";
import { Sandbox, type SandboxOptions } from "./sandbox.ts";

export class Lambda implements AsyncDisposable {
  /** Of the Function URL, which answers below any path: `http://127.0.0.1:PORT`. */
  readonly url: string;
  /** Of the invocations that have ended, in the order in which they did. */
  readonly reports: Report[] = [];
  /** What the function printed, by lines. */
  readonly output: string[] = [];
  readonly #options: SandboxOptions;
  readonly #server: http.Server;
  readonly #sandboxes = new Set<Sandbox>();
  readonly #idle: Sandbox[] = [];
  readonly #running = new Set<Invocation>();
  #inits = 0;

  constructor(options: SandboxOptions, server: http.Server) {
    const address = server.address();
    if (address === null || typeof address === "string") throw new Error("The Function URL has no port");
    this.url = `http://127.0.0.1:${address.port}`;
    this.#options = options;
    this.#server = server;
    server.on(
      "request",
      functionUrl(async (event) => (await this.#begin(event)).response),
    );
  }

  /** The sandboxes that were started, dead ones included. */
  get inits(): number {
    return this.#inits;
  }

  /** Whether every sandbox that is alive is frozen. */
  get isFrozen(): boolean {
    return [...this.#sandboxes].every((sandbox) => sandbox.isFrozen);
  }

  /** The API of that name, as other fronts use it: it answers with all that the function posts. @throws FunctionError */
  async invoke(event: unknown): Promise<string> {
    const invocation = await this.#begin(event);
    const payload = Buffer.concat(await (await invocation.response).toArray()).toString();
    const { error } = await invocation.report;
    if (error) throw new Error(error.errorType);
    return payload;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, "close");
    await Promise.all([...this.#sandboxes].map((sandbox) => sandbox[Symbol.asyncDispose]()));
  }

  async #begin(event: unknown): Promise<Invocation> {
    const sandbox = await this.#acquire();
    const invocation = sandbox.invoke(event);
    this.#running.add(invocation);
    void invocation.report.then(async (report) => {
      this.#running.delete(invocation);
      this.reports.push(report);
      if (!sandbox.hasExited) return void this.#idle.push(sandbox);
      this.#sandboxes.delete(sandbox);
      await sandbox[Symbol.asyncDispose]();
    });
    return invocation;
  }

  /** An idle sandbox, or one that has responded and is about to be idle, or else a new one. */
  async #acquire(): Promise<Sandbox> {
    for (;;) {
      const idle = this.#idle.pop();
      if (idle) return idle;
      const ending = [...this.#running].find(({ outcome }) => outcome);
      if (!ending) return this.#init();
      await ending.report;
    }
  }

  async #init(): Promise<Sandbox> {
    this.#inits++;
    const sandbox = await Sandbox.start(this.#options, this.output);
    this.#sandboxes.add(sandbox);
    return sandbox;
  }
}

/** Starts no sandbox yet: the first event does. */
export async function startLambda(options: SandboxOptions): Promise<Lambda> {
  const server = http.createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return new Lambda(options, server);
}
