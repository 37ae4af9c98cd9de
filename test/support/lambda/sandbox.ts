/** One execution environment: a process with the genuine runtime, invoked once at a time and frozen in between. */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import { createRequire } from "node:module";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { FunctionError, Invocation } from "./invocation.ts";
import {
  type NextInvocation,
  type RuntimeApi,
  type RuntimeError,
  startRuntimeApi,
  trailingError,
} from "./runtime-api.ts";

export interface SandboxOptions {
  readonly entry: string;
  /** The name of the entry's export. */
  readonly handler: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Of one invocation. */
  readonly timeoutMs?: number;
  /** When the sandbox is killed, if not at the time-out: so that a test does not depend on the speed of its machine. */
  readonly killAfterMs?: number;
}

/** Nothing else would ever end a frozen process. */
const alive = new Set<ChildProcess>();
process.once("exit", () => {
  for (const child of alive) child.kill("SIGKILL");
});

const preload = pathToFileURL(path.join(import.meta.dirname, "native-client.mjs")).href;

/** Lambda runs the third client on Node.js 22, and the fourth since 24: they differ in when an invocation is over. */
const isNew = Number(process.versions.node.split(".")[0]) >= 24;
const runtime = createRequire(import.meta.url).resolve(
  isNew ? "aws-lambda-ric" : "aws-lambda-ric-3/bin/index.mjs",
);

export class Sandbox implements AsyncDisposable {
  readonly #timeoutMs: number;
  readonly #killAfterMs: number;
  readonly #api: RuntimeApi;
  readonly #child: ChildProcess;
  /** Resolves when the runtime asks for its first event, or the process exits. */
  readonly #initialised: Promise<void>;
  #whenReady: () => void = () => undefined;
  #initError: RuntimeError | undefined;
  /** Set while the runtime waits for an event. */
  #begin: ((invocation: NextInvocation) => void) | undefined;
  #current: Invocation | undefined;
  #hasTimedOut = false;

  /** Resolves when the entry is loaded. @throws FunctionError if it does not load. */
  static async start(options: SandboxOptions, output: string[]): Promise<Sandbox> {
    const sandbox = new Sandbox(options, await startRuntimeApi(), output);
    await sandbox.#initialised;
    if (!sandbox.hasExited) return sandbox;
    await sandbox[Symbol.asyncDispose]();
    throw new FunctionError(sandbox.#initError ?? { errorType: "Runtime.ExitError" });
  }

  private constructor(options: SandboxOptions, api: RuntimeApi, output: string[]) {
    this.#timeoutMs = options.timeoutMs ?? 60_000;
    this.#killAfterMs = options.killAfterMs ?? this.#timeoutMs;
    this.#api = api;
    api.serve({
      onNext: (begin) => this.#onNext(begin),
      onResponse: (response) => this.#onResponse(response),
      onError: (error) => this.#onEnd(error),
      onInitError: (error) => {
        this.#initError = error;
      },
    });
    const variables = environment(options);
    this.#child = spawn(process.execPath, ["--import", preload, runtime, variables._HANDLER], {
      cwd: path.dirname(options.entry),
      env: { ...variables, AWS_LAMBDA_RUNTIME_API: api.address, ...options.env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.setEncoding("utf8").on("data", (text: string) => output.push(...text.trimEnd().split("\n")));
    }
    this.#initialised = new Promise((resolve) => (this.#whenReady = resolve));
    alive.add(this.#child);
    this.#child.once("exit", () => this.#onExit());
  }

  get hasExited(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  /** As the kernel sees it. */
  get isFrozen(): boolean {
    return execFileSync("ps", ["-o", "stat=", "-p", `${this.#child.pid}`])
      .toString()
      .startsWith("T");
  }

  /** Thaws the sandbox for one event. Wait for the invocation's report before the next one. */
  invoke(event: unknown): Invocation {
    const begin = this.#begin;
    if (begin === undefined || this.hasExited) throw new Error("The sandbox cannot take an event");
    this.#begin = undefined;
    const invocation = new Invocation(event);
    this.#current = invocation;
    const timer = setTimeout(() => {
      this.#hasTimedOut = true;
      this.#child.kill("SIGKILL");
    }, this.#killAfterMs);
    void invocation.report.then(() => clearTimeout(timer));
    this.#child.kill("SIGCONT");
    const deadline = new Date(Date.now() + this.#timeoutMs);
    begin({ requestId: invocation.requestId, event, deadline });
    return invocation;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.hasExited) {
      const exited = once(this.#child, "exit");
      this.#child.kill("SIGKILL");
      await exited;
    }
    await this.#api[Symbol.asyncDispose]();
  }

  #onNext(begin: (invocation: NextInvocation) => void): void {
    this.#begin = begin;
    if (this.#current) return this.#settle();
    this.#freeze();
    this.#whenReady();
  }

  #onResponse(response: IncomingMessage): void {
    response.once("end", () => this.#onEnd(trailingError(response)));
    this.#current?.respond(response);
  }

  #onEnd(error: RuntimeError | undefined): void {
    this.#current?.end(error);
    this.#settle();
  }

  /** An invocation is over when the function has responded and the runtime asks for the next event. */
  #settle(): void {
    const invocation = this.#current;
    if (!invocation?.outcome || !this.#begin) return;
    this.#current = undefined;
    this.#freeze();
    const { error } = invocation.outcome;
    invocation.finish(error ? "error" : "success", error);
  }

  #freeze(): void {
    this.#child.kill("SIGSTOP");
  }

  #onExit(): void {
    alive.delete(this.#child);
    const error = { errorType: this.#hasTimedOut ? "Sandbox.Timedout" : "Runtime.ExitError" };
    this.#current?.finish(this.#hasTimedOut ? "timeout" : "error", error);
    this.#current = undefined;
    this.#whenReady();
  }
}

/** Nothing of our own, so that a test sees what a function would. */
function environment({ entry, handler }: SandboxOptions) {
  const { name, dir } = path.parse(entry);
  return {
    PATH: process.env["PATH"],
    TZ: ":UTC",
    LAMBDA_TASK_ROOT: dir,
    _HANDLER: `${name}.${handler}`,
    AWS_REGION: "eu-central-1",
    AWS_EXECUTION_ENV: `AWS_Lambda_nodejs${process.versions.node.split(".")[0]}.x`,
    AWS_LAMBDA_FUNCTION_NAME: "test",
    AWS_LAMBDA_FUNCTION_VERSION: "$LATEST",
    AWS_LAMBDA_FUNCTION_MEMORY_SIZE: "1769",
    AWS_LAMBDA_LOG_GROUP_NAME: "/aws/lambda/test",
    AWS_LAMBDA_LOG_STREAM_NAME: "test",
  };
}
