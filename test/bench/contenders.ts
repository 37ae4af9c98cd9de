/** Who runs against whom. Each is a process of its own, and has a database of its own in one Postgres. */

import { randomUUID } from "node:crypto";
import { Client } from "pg";
import { firstEvent, post } from "./client.ts";
import { program, start } from "./processes.ts";
import type { WireCount } from "./wire.ts";

export interface BareCall {
  readonly call: "invoke" | "stream" | "stream without checkpointer";
  readonly threadId: string;
  readonly input: typeof INPUT;
}

export interface BareAnswer {
  readonly ms: number;
}

/** Runs the 2-node graph, and tells how long it took as its caller sees it. */
export interface Contender extends AsyncDisposable {
  readonly invoke: (threadId: string) => Promise<number>;
  /** Until the first event; resolves when the run has ended. */
  readonly stream: (threadId: string) => Promise<number>;
}

export const INPUT = { messages: ["What will the weather be tomorrow?"] };

export interface Ours extends Contender {
  /** Ends with the prefix. */
  readonly url: string;
}

export async function startOurs(databaseUrl: string): Promise<Ours> {
  const server = start(program("ours/ours"), { env: { DATABASE_URL: databaseUrl, LOG_LEVEL: "error" } });
  const url = `http://127.0.0.1:${await server.line("listening")}/api`;
  const body = (threadId: string) => ({
    input: INPUT,
    config: { configurable: { thread_id: threadId } },
  });
  return {
    url,
    invoke: async (threadId) => {
      const start = performance.now();
      await post(`${url}/graphs/two/invoke`, body(threadId));
      return performance.now() - start;
    },
    stream: async (threadId) => firstEvent(`${url}/graphs/two/stream`, body(threadId)),
    [Symbol.asyncDispose]: server[Symbol.asyncDispose],
  };
}

export interface Bare extends Contender {
  readonly streamWithoutCheckpointer: () => Promise<number>;
}

export async function startBare(databaseUrl: string): Promise<Bare> {
  const child = start(program("bare/bare"), { env: { DATABASE_URL: databaseUrl }, hasIpc: true });
  await child.told();
  const ask = async (call: BareCall["call"], threadId: string): Promise<number> => {
    const answer: unknown = await child.ask({ call, threadId, input: INPUT } satisfies BareCall);
    if (typeof answer !== "object" || answer === null || !("ms" in answer)) throw new Error("No answer");
    return Number(answer.ms);
  };
  return {
    invoke: async (threadId) => ask("invoke", threadId),
    stream: async (threadId) => ask("stream", threadId),
    streamWithoutCheckpointer: async () => ask("stream without checkpointer", randomUUID()),
    [Symbol.asyncDispose]: child[Symbol.asyncDispose],
  };
}

export interface WireProxy extends AsyncDisposable {
  readonly url: (databaseUrl: string) => string;
  /** What went over it since it was last asked. */
  readonly counted: () => Promise<WireCount>;
}

/** `roundTripMs` is what it adds. */
export async function startProxy(postgresUrl: string, roundTripMs: number): Promise<WireProxy> {
  const child = start(program("programs/proxy"), {
    env: { DATABASE_URL: postgresUrl, DELAY_MS: String(roundTripMs / 2) },
    hasIpc: true,
  });
  const first: unknown = await child.told();
  const port = typeof first === "object" && first !== null && "port" in first ? String(first.port) : "";
  return {
    url: (databaseUrl) => {
      const url = new URL(databaseUrl);
      url.port = port;
      return url.href;
    },
    counted: async () => asCount(await child.ask({})),
    [Symbol.asyncDispose]: child[Symbol.asyncDispose],
  };
}

function asCount(answer: unknown): WireCount {
  if (isCount(answer)) return answer;
  throw new Error("The proxy answered something else");
}

function isCount(answer: unknown): answer is WireCount {
  return typeof answer === "object" && answer !== null && "roundTrips" in answer && "statements" in answer;
}

/** A new, empty database; they all go with the Postgres. */
export async function createDatabase(postgresUrl: string): Promise<string> {
  const name = `bench_${randomUUID().replaceAll("-", "")}`;
  await query(postgresUrl, `create database ${name}`);
  const url = new URL(postgresUrl);
  url.pathname = `/${name}`;
  return url.href;
}

async function query(url: string, text: string): Promise<readonly Record<string, unknown>[]> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(text)).rows;
  } finally {
    await client.end();
  }
}
