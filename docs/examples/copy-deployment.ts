/**
 * Copies a deployment to another one, over their API: assistants with their versions, threads with their newest state,
 * crons (paused), and the store's items. From LangGraph Platform, from the in-memory server, or from one of ours, to ours.
 * What is there already is left alone, so it may be stopped and started again, and run once more just before the change.
 *
 *     FROM_URL=https://….us.langgraph.app FROM_API_KEY=… TO_URL=https://…/api TO_FUNCTION_KEY=… npx tsx copy-deployment.ts
 */

import { env } from "node:process";
import { pathToFileURL } from "node:url";
import { Client, type Cron, type Thread } from "@langchain/langgraph-sdk";
import { z } from "zod";

export interface CopyReport {
  /** Of each kind: how many were copied, and how many were there already. */
  readonly copied: Readonly<Record<Part, number>>;
  readonly kept: Readonly<Record<Part, number>>;
  /** Threads whose values were copied, but which do not stand at the same place of their graph. */
  readonly displaced: readonly string[];
  /** Threads that wait at an interrupt over there: here they do when they are run again, without an input. */
  readonly waiting: readonly string[];
}

const PARTS = ["assistants", "threads", "crons", "store"] as const;
export type Part = (typeof PARTS)[number];

interface Copying {
  readonly from: Client;
  readonly to: Client;
  readonly count: (part: Part, isNew: boolean) => void;
}

/** In this order: crons name assistants and threads. @throws what a server has refused */
export async function copyDeployment(
  from: Client,
  to: Client,
  parts: readonly Part[] = PARTS,
): Promise<CopyReport> {
  const copied = { assistants: 0, threads: 0, crons: 0, store: 0 };
  const kept = { ...copied };
  const count = (part: Part, isNew: boolean): void => void ((isNew ? copied : kept)[part] += 1);
  const copying = { from, to, count };
  if (parts.includes("assistants")) await copyAssistants(copying);
  const threads = parts.includes("threads") ? await copyThreads(copying) : { displaced: [], waiting: [] };
  if (parts.includes("crons")) await copyCrons(copying);
  if (parts.includes("store")) await copyStore(copying);
  return { copied, kept, ...threads };
}

const PAGE = 100;

/** All there is, a page at a time. */
async function* pages<T>(read: (limit: number, offset: number) => Promise<readonly T[]>): AsyncGenerator<T> {
  for (let offset = 0; ; offset += PAGE) {
    const page = await read(PAGE, offset);
    yield* page;
    if (page.length < PAGE) return;
  }
}

/** Null where it is not there. */
async function found<T>(asked: Promise<T>): Promise<T | null> {
  return asked.catch((error: unknown) => {
    if (error instanceof Error && "status" in error && error.status === 404) return null;
    throw error;
  });
}

/** Those that the server makes of its graphs are there already: their ids are the same everywhere. */
async function copyAssistants({ from, to, count }: Copying): Promise<void> {
  const all = pages(async (limit, offset) =>
    from.assistants.search({ limit, offset, sortBy: "created_at", sortOrder: "asc" }),
  );
  for await (const { assistant_id, metadata, version } of all) {
    if (metadata?.["created_by"] === "system") continue;
    const isNew = (await found(to.assistants.get(assistant_id))) === null;
    count("assistants", isNew);
    if (!isNew) continue;
    const versions = await from.assistants.getVersions(assistant_id, { limit: 1_000 });
    const [first, ...later] = versions.toSorted((a, b) => a.version - b.version);
    if (first === undefined) continue;
    await to.assistants.create({ assistantId: assistant_id, ...toCreate(first) });
    for (const next of later) await to.assistants.update(assistant_id, toCreate(next));
    // Versions that were deleted leave gaps, which there are none of here.
    const rank = versions.filter((one) => one.version <= version).length;
    if (rank < versions.length) await to.assistants.setLatest(assistant_id, rank);
  }
}

type Version = Awaited<ReturnType<Client["assistants"]["getVersions"]>>[number];

function toCreate({ graph_id: graphId, config, context, metadata, name, description }: Version) {
  const described = typeof description === "string" ? { description } : {};
  return { graphId, config, context, metadata, name, ...described };
}

async function copyThreads(copying: Copying): Promise<Pick<CopyReport, "displaced" | "waiting">> {
  const { from, to, count } = copying;
  const displaced: string[] = [];
  const waiting: string[] = [];
  const all = pages(async (limit, offset) =>
    from.threads.search({ limit, offset, sortBy: "created_at", sortOrder: "asc" }),
  );
  for await (const thread of all) {
    const isNew = (await found(to.threads.get(thread.thread_id))) === null;
    count("threads", isNew);
    if (!isNew) continue;
    if (!(await copyThread(copying, thread))) displaced.push(thread.thread_id);
    if (thread.status === "interrupted") waiting.push(thread.thread_id);
  }
  return { displaced, waiting };
}

/** @returns whether the thread stands where it stood */
async function copyThread({ from, to }: Copying, { thread_id, metadata }: Thread): Promise<boolean> {
  const graphId: unknown = metadata?.["graph_id"];
  const states = typeof graphId === "string" ? await from.threads.getHistory(thread_id, { limit: 2 }) : [];
  const [newest, before] = states;
  const made = { threadId: thread_id, metadata: metadata ?? {} };
  if (newest === undefined || typeof graphId !== "string") {
    await to.threads.create(made);
    return true;
  }
  // As if the node that ran last had written all of it: what comes next follows from that, as it did.
  const asNode = before?.next[0] ?? "__start__";
  await to.threads.create({
    ...made,
    graphId,
    supersteps: [{ updates: [{ values: newest.values, asNode }] }],
  });
  if (newest.next.length === 0 && (await nextOf(to, thread_id)).length > 0)
    await to.threads.updateState(thread_id, { values: null, asNode: "__end__" });
  return String(await nextOf(to, thread_id)) === String(newest.next);
}

async function nextOf(client: Client, threadId: string): Promise<readonly string[]> {
  return (await client.threads.getState(threadId)).next;
}

/** Paused, so that no time is due on both sides: `crons.update(id, { enabled: true })` when the other side is off. */
async function copyCrons({ from, to, count }: Copying): Promise<void> {
  const all = pages(async (limit, offset) =>
    from.crons.search({ limit, offset, sortBy: "created_at", sortOrder: "asc" }),
  );
  for await (const cron of all) {
    const metadata = { ...cron.metadata, copied_from: cron.cron_id };
    const isNew = (await to.crons.count({ metadata: { copied_from: cron.cron_id } })) === 0;
    count("crons", isNew);
    if (!isNew) continue;
    const payload = CronPayload.parse({ ...payloadOf(cron), metadata });
    if (cron.thread_id) await to.crons.createForThread(cron.thread_id, cron.assistant_id, payload);
    else await to.crons.create(cron.assistant_id, payload);
  }
}

/** What is in it, the server checks. */
const CronPayload = z.custom<NonNullable<Parameters<Client["crons"]["create"]>[1]>>();

/** What a run is asked for with, by the names of the wire and of the client. */
const FIELDS = {
  input: "input",
  command: "command",
  config: "config",
  context: "context",
  webhook: "webhook",
  interrupt_before: "interruptBefore",
  interrupt_after: "interruptAfter",
  multitask_strategy: "multitaskStrategy",
  durability: "durability",
} as const;

function payloadOf({ payload, schedule, timezone, end_time, on_run_completed }: Cron): object {
  const given = Object.entries(FIELDS).flatMap(([wire, name]): [string, unknown][] =>
    payload[wire] === undefined || payload[wire] === null ? [] : [[name, payload[wire]]],
  );
  return {
    ...Object.fromEntries(given),
    schedule,
    ...(timezone ? { timezone } : {}),
    ...(end_time ? { endTime: end_time } : {}),
    ...(on_run_completed ? { onRunCompleted: on_run_completed } : {}),
    enabled: false,
  };
}

/** The API does not tell how long an item is still to be kept: set lifetimes anew, in the option `store.ttl`. */
async function copyStore({ from, to, count }: Copying): Promise<void> {
  const namespaces = pages(
    async (limit, offset) => (await from.store.listNamespaces({ limit, offset })).namespaces,
  );
  for await (const namespace of namespaces) {
    const items = pages(
      async (limit, offset) => (await from.store.searchItems(namespace, { limit, offset })).items,
    );
    for await (const item of items) {
      if (item.namespace.join(".") !== namespace.join(".")) continue; // it is of a namespace below
      const isNew = (await to.store.getItem(item.namespace, item.key, { refreshTtl: false })) === null;
      count("store", isNew);
      if (isNew) await to.store.putItem(item.namespace, item.key, item.value);
    }
  }
}

function clientOf(side: "FROM" | "TO"): Client {
  const { [`${side}_URL`]: apiUrl, [`${side}_API_KEY`]: apiKey } = env;
  if (apiUrl === undefined) throw new Error(`${side}_URL is missing`);
  const { [`${side}_FUNCTION_KEY`]: key, [`${side}_TOKEN`]: token } = env;
  const defaultHeaders = {
    ...(key === undefined ? {} : { "x-functions-key": key }),
    ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
  };
  return new Client({ apiUrl, defaultHeaders, ...(apiKey === undefined ? {} : { apiKey }) });
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href)
  console.log(await copyDeployment(clientOf("FROM"), clientOf("TO")));
