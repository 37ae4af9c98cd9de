/** Signing in with tokens in the place of a password: fetched when a connection needs one, kept until they wear out. */

import { callbackify } from "node:util";
import { Client, Pool, type ClientConfig, type PoolClient, type PoolConfig } from "pg";
import type { Clock } from "../clock.ts";
import { AppError } from "../errors.ts";
import { isRefusal } from "./sql.ts";

/** What a server takes for a password, for a while. A connection that it has opened lives on when it has expired. */
export interface Token {
  readonly text: string;
  /** From then on, new connections ask for another one. */
  readonly renewAt: Date;
  readonly expiresAt: Date;
}

/**
 * Fetches a token. `isRefused` says that the server did not take the one before, so that a copy of it is of no use.
 * @throws Error that says, for an operator, what is wrong
 */
export type TokenSource = (options: {
  readonly signal: AbortSignal;
  readonly isRefused: boolean;
}) => Promise<Token>;

/** Whoever needs a token at the same time waits for the same one. */
class Tokens {
  readonly #source: TokenSource;
  readonly #clock: Pick<Clock, "now">;
  readonly #timeoutMs: number;
  #token: Token | undefined;
  #refused: string | undefined;
  #fetching: Promise<Token> | undefined;

  constructor(source: TokenSource, clock: Pick<Clock, "now">, timeoutMs: number) {
    this.#source = source;
    this.#clock = clock;
    this.#timeoutMs = timeoutMs;
  }

  /** @throws AppError `unavailable` when there is none, or only one that has expired */
  async current(): Promise<string> {
    const kept = this.#token;
    if (kept !== undefined && this.#clock.now() < kept.renewAt) return kept.text;
    try {
      return (await this.#fetch()).text;
    } catch (error) {
      if (kept !== undefined && kept === this.#token && this.#clock.now() < kept.expiresAt) return kept.text;
      throw new AppError("unavailable", "The database cannot be reached", {
        cause: error,
        retryAfterSeconds: 5,
      });
    }
  }

  /** Another connection may have been told before, and the token be another one by now. */
  refuse(text: string): void {
    if (this.#token?.text !== text) return;
    this.#token = undefined;
    this.#refused = text;
  }

  async #fetch(): Promise<Token> {
    const signal = AbortSignal.timeout(this.#timeoutMs);
    const isRefused = this.#refused !== undefined;
    this.#fetching ??= inTime(this.#source({ signal, isRefused }), signal).finally(() => {
      this.#fetching = undefined;
    });
    const token = await this.#fetching;
    this.#token = token;
    this.#refused = undefined;
    return token;
  }
}

/** For sources that do not heed the signal: who waits for them would wait for ever. */
async function inTime<T>(answer: Promise<T>, signal: AbortSignal): Promise<T> {
  const late = new Promise<never>((_, reject) => {
    signal.addEventListener("abort", () =>
      reject(new Error("No token came in time", { cause: signal.reason })),
    );
  });
  return Promise.race([answer, late]);
}

const CONNECTION_TIMEOUT_MS = 15_000;

type Callback<Done extends unknown[]> = (...outcome: Done) => void;

/** A pool whose connections sign in with tokens. One that the server refuses is fetched anew, once a connection. */
export function tokenPool(config: PoolConfig, source: TokenSource, clock: Pick<Clock, "now">): Pool {
  const { connectionTimeoutMillis = CONNECTION_TIMEOUT_MS } = config;
  const tokens = new Tokens(source, clock, connectionTimeoutMillis / 2); // so that the error tells of the token
  return new TokenPool({ ...config, Client: clientWith(tokens) });
}

class TokenPool extends Pool {
  override connect(): Promise<PoolClient>;
  override connect(callback: Callback<Connected>): void;
  override connect(callback?: Callback<Connected>): Promise<PoolClient> | void {
    if (callback === undefined) return this.#connect();
    callbackify(async () => this.#connect())((error, client) => {
      if (error === null) callback(undefined, client, (failure) => client.release(failure));
      else callback(error, undefined, () => undefined);
    });
  }

  async #connect(): Promise<PoolClient> {
    try {
      return await super.connect();
    } catch (error) {
      if (!isRefusal(error)) throw error;
      return await super.connect(); // with another token
    }
  }
}

type Connected = [
  error: Error | undefined,
  client: PoolClient | undefined,
  done: (release?: Error | boolean) => void,
];

/** The pool makes a client for each connection. */
function clientWith(tokens: Tokens): new (config?: ClientConfig) => Client {
  return class extends Client {
    readonly #token: () => string;

    constructor(config: ClientConfig = {}) {
      let token = "";
      super({ ...config, password: async () => (token = await tokens.current()) });
      this.#token = () => token;
    }

    override connect(): Promise<Client>;
    override connect(callback: (error: Error | null) => void): void;
    override connect(callback?: (error: Error | null) => void): Promise<Client> | void {
      if (callback === undefined) return this.#connect();
      callbackify(async () => this.#connect())(callback);
    }

    async #connect(): Promise<Client> {
      try {
        return await super.connect();
      } catch (error) {
        if (isRefusal(error)) tokens.refuse(this.#token());
        void this.end(); // where there was no token, the server still waits for one
        throw error;
      }
    }
  };
}
