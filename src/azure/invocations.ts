/** What this process is working on, for a shutdown to stop and to wait for. */

/** Nobody waits for the answer any more. */
export class ClientLeft extends Error {
  override readonly name = "ClientLeft";
}

/** The process ends within seconds: what is not finished must go on elsewhere. */
export class HostStopping extends Error {
  override readonly name = "HostStopping";
}

export class Invocations {
  readonly #running = new Set<AbortController>();
  #isStopping = false;
  #whenIdle: () => void = () => undefined;

  /** A controller that `stop` aborts and waits for, until it is handed to `end`. */
  begin(): AbortController {
    const controller = new AbortController();
    if (this.#isStopping) controller.abort(new HostStopping());
    this.#running.add(controller);
    return controller;
  }

  end(controller: AbortController): void {
    this.#running.delete(controller);
    if (this.#running.size === 0) this.#whenIdle();
  }

  /** Aborts what is running, and what still begins, and resolves when all of it has ended. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    for (const controller of this.#running) controller.abort(new HostStopping());
    if (this.#running.size === 0) return;
    await new Promise<void>((resolve) => {
      this.#whenIdle = resolve;
    });
  }
}
