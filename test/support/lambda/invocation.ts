/** One event on its way through a sandbox. */
import { randomUUID } from "node:crypto";
import type { IncomingMessage } from "node:http";
import type { RuntimeError } from "./runtime-api.ts";

/** How an invocation ended, as in the `REPORT` line of a function's log. */
export interface Report {
  readonly requestId: string;
  readonly status: "success" | "error" | "timeout";
  readonly error?: RuntimeError | undefined;
}

export class FunctionError extends Error {
  override readonly name = "FunctionError";
  readonly error: RuntimeError;

  constructor(error: RuntimeError) {
    super(`${error.errorType}: ${error.errorMessage ?? ""}`);
    this.error = error;
  }
}

export class Invocation {
  readonly requestId = randomUUID();
  readonly event: unknown;
  /** What the function posts, as it begins. Rejects with a `FunctionError` if that is nothing. */
  readonly response: Promise<IncomingMessage>;
  /** The sandbox has done with it. */
  readonly report: Promise<Report>;
  /** Known once the function has responded. */
  outcome: { readonly error: RuntimeError | undefined } | undefined;
  #respond!: (response: IncomingMessage) => void;
  #refuse!: (error: FunctionError) => void;
  #finish!: (report: Report) => void;

  constructor(event: unknown) {
    this.event = event;
    this.response = new Promise((resolve, reject) => {
      this.#respond = resolve;
      this.#refuse = reject;
    });
    this.response.catch(() => undefined); // is the caller's to handle
    this.report = new Promise((resolve) => (this.#finish = resolve));
  }

  respond(response: IncomingMessage): void {
    this.#respond(response);
  }

  /** An error after the response has begun is the report's alone. */
  end(error: RuntimeError | undefined): void {
    this.outcome = { error };
    if (error) this.#refuse(new FunctionError(error));
  }

  finish(status: Report["status"], error: RuntimeError | undefined): void {
    if (error) this.#refuse(new FunctionError(error));
    this.#finish({ requestId: this.requestId, status, error });
  }
}
