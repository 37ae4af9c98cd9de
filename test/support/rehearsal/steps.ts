/** What anybody does with the example app once it is deployed, through the official client: each step needs those before. */

import type { Client, Run } from "@langchain/langgraph-sdk";
import { setTimeout as delay } from "node:timers/promises";

/** Of what is polled: a message of a queue may need seconds, and a cold worker as many. */
const PATIENCE_MS = 60_000;
const PAUSE_MS = 250;

export interface SmokeContext {
  readonly client: Client;
  /** With the route prefix. */
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Whether callers need a key. */
  readonly isGuarded: boolean;
  /** Made by the steps, and deleted by the last one. */
  readonly threads: string[];
}

export interface Step {
  readonly name: string;
  /** What it resolves with is shown beside its name. @throws Error that says what is not as it must be */
  readonly run: (context: SmokeContext) => Promise<string | undefined>;
}

const say = (content: string) => ({ input: { messages: [{ role: "user", content }] } });

async function newThread({ client, threads }: SmokeContext): Promise<string> {
  const { thread_id } = await client.threads.create({ metadata: { made_by: "rehearsal" } });
  threads.push(thread_id);
  return thread_id;
}

/** The conversation that several steps go on with. */
function conversation({ threads: [first] }: SmokeContext): string {
  return must(first, "there is no thread, as an earlier step failed");
}

function must<T>(value: T | undefined | null, problem: string): T {
  if (value === undefined || value === null) throw new Error(problem);
  return value;
}

function expectText(value: unknown, text: string): void {
  const shown = JSON.stringify(value) ?? "nothing";
  if (!shown.includes(text)) throw new Error(`"${text}" is not in ${shown.slice(0, 500)}`);
}

function expectEqual(actual: unknown, expected: unknown, what: string): void {
  if (actual !== expected) throw new Error(`${what} is ${String(actual)}, not ${String(expected)}`);
}

async function until<T>(what: string, look: () => Promise<T | undefined>): Promise<T> {
  const end = Date.now() + PATIENCE_MS;
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
    if (Date.now() > end) throw new Error(`${what}: nothing of it within ${PATIENCE_MS / 1000} s`);
    await delay(PAUSE_MS);
  }
}

export const STEPS: readonly Step[] = [
  {
    name: "health and version",
    run: async ({ url, headers }) => {
      expectEqual((await fetch(`${url}/health`)).status, 200, "The status of /health, which needs no key,");
      const info = await fetch(`${url}/info`, { headers });
      expectEqual(info.status, 200, "The status of /info");
      const { version }: { version?: string } = await info.json();
      return version;
    },
  },
  {
    name: "nobody gets in without a key",
    run: async ({ url, isGuarded }) => {
      if (!isGuarded) return "not looked at: there is no --key";
      const answer = await fetch(`${url}/threads/search`, { method: "POST", body: "{}" });
      expectEqual(answer.status, 401, "The status of a search without a key");
      return undefined;
    },
  },
  {
    name: "assistants",
    run: async ({ client }) => {
      const found = await client.assistants.search({ limit: 100 });
      const graphs = new Set(found.map(({ graph_id }) => graph_id));
      for (const graph of ["chat", "approval"])
        if (!graphs.has(graph))
          throw new Error(`The example app's graph "${graph}" is not among ${[...graphs].join(", ")}`);
      const { assistant_id } = await client.assistants.create({ graphId: "chat", name: "rehearsal" });
      expectEqual((await client.assistants.get(assistant_id)).name, "rehearsal", "The assistant's name");
      await client.assistants.delete(assistant_id);
      return [...graphs].join(", ");
    },
  },
  {
    name: "a run that is waited for",
    run: async (context) => {
      const thread = await newThread(context);
      expectText(await context.client.runs.wait(thread, "chat", say("My name is Ada.")), "Ada");
      return undefined;
    },
  },
  {
    name: "a run that is streamed",
    run: async (context) => {
      const stream = context.client.runs.stream(conversation(context), "chat", {
        ...say("What is my name?"),
        streamMode: ["values", "messages-tuple"],
      });
      const begun = Date.now();
      let [first, count] = [0, 0];
      let last: unknown;
      for await (const { event, data } of stream) {
        if (event === "error") throw new Error(`The stream has an error: ${JSON.stringify(data)}`);
        if (count++ === 0) first = Date.now() - begun;
        if (event === "values") last = data;
      }
      expectText(last, "Your name is Ada.");
      return `${count} events, the first after ${first} ms, the last after ${Date.now() - begun} ms`;
    },
  },
  {
    name: "state and history",
    run: async (context) => {
      const thread = conversation(context);
      expectText(await context.client.threads.getState(thread), "Your name is Ada.");
      const history = await context.client.threads.getHistory(thread);
      if (history.length < 4) throw new Error(`The history has ${history.length} states`);
      return `${history.length} states`;
    },
  },
  {
    name: "a run in the background, joined",
    run: async (context) => {
      const { runs } = context.client;
      const thread = conversation(context);
      const { run_id } = await runs.create(thread, "chat", say("Calculate 6 * 7"));
      expectText(await runs.join(thread, run_id), "42");
      expectEqual((await runs.get(thread, run_id)).status, "success", "The run's status");
      return undefined;
    },
  },
  {
    name: "a run that waits for a person, resumed",
    run: async (context) => {
      const { runs, threads } = context.client;
      const thread = await newThread(context);
      await runs.wait(thread, "approval", { input: { request: "Tell ada@example.com that it works." } });
      expectEqual((await threads.get(thread)).status, "interrupted", "The thread's status");
      const command = { resume: { decision: "approve" } };
      expectText(await runs.wait(thread, "approval", { command }), "ada@example.com");
      expectEqual((await threads.get(thread)).status, "idle", "The thread's status");
      return undefined;
    },
  },
  {
    name: "a run that is cancelled",
    run: async (context) => {
      const { runs } = context.client;
      const thread = await newThread(context);
      const { run_id } = await runs.create(thread, "chat", { ...say("Later."), afterSeconds: 3_600 });
      await runs.cancel(thread, run_id);
      const ended = await until("The cancelled run", async () => {
        const { status } = await runs.get(thread, run_id);
        return status === "pending" || status === "running" ? undefined : status;
      });
      expectEqual(ended, "interrupted", "The run's status");
      return undefined;
    },
  },
  {
    name: "a cron, whose time comes",
    run: async (context) => {
      const { crons, runs } = context.client;
      const thread = await newThread(context);
      const schedule = "* * * * * *"; // each second
      const { cron_id } = await crons.createForThread(thread, "chat", { ...say("Hi!"), schedule });
      try {
        await until<Run>("The cron's run", async () => (await runs.list(thread, { status: "success" }))[0]);
      } finally {
        await crons.delete(cron_id);
      }
      return undefined;
    },
  },
  {
    name: "the store",
    run: async ({ client: { store } }) => {
      const namespace = ["rehearsal", crypto.randomUUID()];
      await store.putItem(namespace, "greeting", { text: "hello" });
      expectText(await store.getItem(namespace, "greeting"), "hello");
      const { items } = await store.searchItems(namespace);
      expectEqual(items.length, 1, "The number of items");
      await store.deleteItem(namespace, "greeting");
      return undefined;
    },
  },
  {
    name: "the status of all that it needs",
    run: async ({ url, headers }) => {
      const answer = await fetch(`${url}/status`, { headers });
      const text = await answer.text();
      expectEqual(answer.status, 200, `The status of /status, which says ${text},`);
      const { status }: { status?: string } = JSON.parse(text);
      return status;
    },
  },
  {
    name: "what was made is deleted",
    run: async ({ client, threads }) => {
      for (const thread of threads.splice(0)) await client.threads.delete(thread);
      return undefined;
    },
  },
];
