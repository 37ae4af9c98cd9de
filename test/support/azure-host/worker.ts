/** The worker process seen from the host: invocations go in, their outcomes come out. */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import path from "node:path";
import type { FromWorker, InvocationRequest, RegisteredFunction, ToWorker } from "./protocol.ts";

/** What the host grants a worker that was told to terminate. */
const graceMs = 5_000;

export interface WorkerOptions {
  readonly entry: string;
  readonly env?: Readonly<Record<string, string>>;
  /** The Node binary that runs the app. */
  readonly node?: string;
}

export interface Outcome {
  readonly functionName: string;
  readonly invocationId: string;
  /** The stack of what the invocation failed with; undefined for a success. */
  readonly error: string | undefined;
  readonly returnValue: unknown;
}

export class Worker {
  readonly functions: readonly RegisteredFunction[];
  /** Where the library listens for streamed requests; undefined if the app has not turned streaming on. */
  readonly httpUri: string | undefined;
  /** In the order in which they ended. */
  readonly outcomes: Outcome[] = [];
  readonly #child: ChildProcess;
  readonly #running = new Map<string, { functionName: string; resolve: (outcome: Outcome) => void }>();

  constructor(child: ChildProcess, ready: Extract<FromWorker, { type: "ready" }>) {
    this.#child = child;
    this.functions = ready.functions;
    this.httpUri = ready.httpUri;
    child.on("message", (message: FromWorker) => {
      if (message.type === "result") this.#settle(message.invocationId, message.error, message.returnValue);
    });
    child.once("exit", () => {
      for (const invocationId of this.#running.keys())
        this.#settle(invocationId, "The worker process exited");
    });
  }

  get hasExited(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  /** Resolves, also for a failure. */
  invoke(functionName: string, request: InvocationRequest): Promise<Outcome> {
    return new Promise((resolve) => {
      this.#running.set(request.invocationId, { functionName, resolve });
      if (this.#child.connected) this.#send({ type: "invoke", functionName, request });
      else this.#settle(request.invocationId, "The worker process has exited");
    });
  }

  /** Lets the app's `appTerminate` hooks run, as long as the host would. */
  async terminate(): Promise<"exited" | "killed"> {
    if (this.hasExited) return "exited";
    const exited = once(this.#child, "exit");
    const timer = setTimeout(() => this.#child.kill("SIGKILL"), graceMs);
    this.#send({ type: "terminate" });
    await exited;
    clearTimeout(timer);
    return this.#child.signalCode === "SIGKILL" ? "killed" : "exited";
  }

  async kill(): Promise<void> {
    if (this.hasExited) return;
    const exited = once(this.#child, "exit");
    this.#child.kill("SIGKILL");
    await exited;
  }

  #settle(invocationId: string, error?: string, returnValue?: unknown): void {
    const running = this.#running.get(invocationId);
    if (!running) return;
    this.#running.delete(invocationId);
    const outcome = { functionName: running.functionName, invocationId, error, returnValue };
    this.outcomes.push(outcome);
    running.resolve(outcome);
  }

  #send(message: ToWorker): void {
    this.#child.send(message);
  }
}

/** Resolves once the app has registered its functions. @throws with the app's own error if it could not start. */
export async function startWorker(options: WorkerOptions, output: string[]): Promise<Worker> {
  const child = fork(path.join(import.meta.dirname, "worker.cjs"), [options.entry], {
    cwd: path.dirname(options.entry),
    env: { PATH: process.env["PATH"], ...options.env }, // nothing of our own: a test sees what an app would
    execPath: options.node ?? process.execPath,
    execArgv: [],
    stdio: ["ignore", "pipe", "pipe", "ipc"],
  });
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding("utf8").on("data", (text: string) => output.push(text.trimEnd()));
  }
  const first = await new Promise<FromWorker>((resolve) => {
    child.on("message", (message: FromWorker) => {
      if (message.type === "log") output.push(`${message.level} ${message.category} ${message.message}`);
      else resolve(message); // a promise keeps to its first value: "ready" or "failed"
    });
    child.once("exit", (code) => resolve({ type: "failed", error: `The worker process exited (${code})` }));
  });
  if (first.type === "ready") return new Worker(child, first);
  child.kill("SIGKILL");
  const reason = first.type === "failed" ? first.error : "The worker spoke out of turn";
  throw new Error([`The app did not start: ${reason}`, ...output].join("\n"));
}
