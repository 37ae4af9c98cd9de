/** What is sealed of each row, and where it belongs. Ids, times, statuses, names and metadata stay readable: SQL asks for them. */

import type { Item, ItemName } from "../core/store.ts";
import type { JsonObject, Thread, RunEvent } from "../core/model.ts";
import { shownKwargs, type RunKwargs } from "../core/run-kwargs.ts";
import type { Delivery } from "../core/webhooks.ts";
import { openValue, sealJson, sealValue, type Cipher, type Place } from "./encryption.ts";

/** Where a value belongs, by its row's key. Callers may write a UUID in capitals. */
export const placeOf = {
  values: (thread_id: string): Place => ["threads.values", thread_id],
  interrupts: (thread_id: string): Place => ["threads.interrupts", thread_id],
  kwargs: (run_id: string): Place => ["runs.kwargs", run_id.toLowerCase()],
  output: (run_id: string): Place => ["runs.output", run_id.toLowerCase()],
  error: (run_id: string): Place => ["runs.error", run_id.toLowerCase()],
  event: ({ thread_id, seq, run_id, event }: EventRow): Place => {
    return ["events.data", thread_id, seq, run_id.toLowerCase(), event];
  },
  item: ({ namespace, key }: ItemName): Place => ["store_items.value", ...namespace, key],
  payload: (cron_id: string): Place => ["crons.payload", cron_id.toLowerCase()],
  principal: (cron_id: string): Place => ["crons.principal", cron_id.toLowerCase()],
  /** Versions of an assistant are copied from one to another by SQL. */
  config: (assistant_id: string): Place => ["assistants.config", assistant_id.toLowerCase()],
  context: (assistant_id: string): Place => ["assistants.context", assistant_id.toLowerCase()],
  choices: (link_id: string): Place => ["resume_links.choices", link_id.toLowerCase()],
  message: (link_id: string): Place => ["resume_links.message", link_id.toLowerCase()],
  linkPrincipal: (link_id: string): Place => ["resume_links.principal", link_id.toLowerCase()],
  url: (webhook_id: string): Place => ["webhooks.url", webhook_id.toLowerCase()],
  body: (webhook_id: string): Place => ["webhooks.body", webhook_id.toLowerCase()],
} as const;

export interface EventRow extends Pick<RunEvent, "seq" | "event"> {
  readonly thread_id: string;
  readonly run_id: string;
}

/** Its columns may be some of a thread's only; without its id, none that is sealed. */
export function openThread<Row extends Partial<Thread>>(cipher: Cipher, thread: Row): Row {
  const { thread_id = "", values, interrupts } = thread;
  return {
    ...thread,
    ...(values === undefined ? {} : { values: openValue(cipher, values, placeOf.values(thread_id)) }),
    ...(interrupts === undefined
      ? {}
      : { interrupts: openValue(cipher, interrupts, placeOf.interrupts(thread_id)) }),
  };
}

interface RunRow {
  readonly run_id: string;
  readonly kwargs: RunKwargs | JsonObject;
}

/** What SQL asks for stays beside what is sealed: to whom a webhook goes, and where a command's events begin. */
export function sealKwargs(cipher: Cipher, run_id: string, kwargs: RunKwargs | JsonObject): string {
  if (cipher.newest === undefined) return JSON.stringify(kwargs);
  const { webhook, protocol } = kwargs;
  return JSON.stringify({
    sealed: sealValue(cipher, kwargs, placeOf.kwargs(run_id)),
    ...(typeof webhook === "string" ? { webhook: cipher.sealText(webhook, placeOf.url(run_id)) } : {}),
    ...(protocol === undefined ? {} : { protocol }),
  });
}

/** `kwargs` of a run are an object of ours, which has no such member unless it is sealed. */
export function openRun<Row extends RunRow>(cipher: Cipher, run: Row): Row {
  return { ...run, kwargs: openKwargs(cipher, run.run_id, run.kwargs) };
}

function openKwargs<Kwargs extends object>(cipher: Cipher, run_id: string, kwargs: Kwargs): Kwargs {
  if (!("sealed" in kwargs)) return kwargs;
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- as the type of any row, a claim about what we have stored
  return openValue(cipher, kwargs.sealed, placeOf.kwargs(run_id)) as Kwargs;
}

/** A run's record, with what became of it. */
export function openRecord<Row extends RunRow & { readonly error: string | null; readonly output: unknown }>(
  cipher: Cipher,
  run: Row,
): Row {
  const { run_id, error, output } = run;
  return {
    ...openRun(cipher, run),
    error: error === null ? null : cipher.openText(error, placeOf.error(run_id)),
    output: openValue(cipher, output, placeOf.output(run_id)),
  };
}

export function sealEvents(
  cipher: Cipher,
  { thread_id, run_id }: Pick<EventRow, "thread_id" | "run_id">,
  events: readonly RunEvent[],
): readonly RunEvent[] {
  return events.map(({ seq, event, data }) => ({
    seq,
    event,
    data: cipher.sealText(data, placeOf.event({ thread_id, run_id, seq, event })),
  }));
}

export function openEvent(cipher: Cipher, row: EventRow & { readonly data: string }): string {
  return cipher.openText(row.data, placeOf.event(row));
}

export function openItem<Row extends Item>(cipher: Cipher, item: Row): Row {
  return { ...item, value: openValue(cipher, item.value, placeOf.item(item)) };
}

export function openCron<Row extends { readonly cron_id?: string; readonly payload?: JsonObject }>(
  cipher: Cipher,
  cron: Row,
): Row {
  const { cron_id = "", payload } = cron;
  if (payload === undefined) return cron;
  return { ...cron, payload: openValue(cipher, payload, placeOf.payload(cron_id)) };
}

interface AssistantRow {
  readonly assistant_id: string;
  readonly config: object | null;
  readonly context: unknown;
}

export function openAssistant<Row extends AssistantRow>(cipher: Cipher, assistant: Row): Row {
  const { assistant_id, config, context } = assistant;
  return {
    ...assistant,
    config: openValue(cipher, config, placeOf.config(assistant_id)),
    context: openValue(cipher, context, placeOf.context(assistant_id)),
  };
}

/** The statement that ends a run puts its body together of what is sealed for the run and for its thread. */
export function openDelivery(cipher: Cipher, delivery: Delivery): Delivery {
  const { webhook_id, url } = delivery;
  const body = openValue(cipher, delivery.body, placeOf.body(webhook_id));
  return {
    ...delivery,
    url: cipher.openText(url, placeOf.url(webhook_id)),
    body: { ...body, ...openParts(cipher, webhook_id, body) },
  };
}

function openParts(cipher: Cipher, run_id: string, body: JsonObject): JsonObject {
  const { thread_id, values, error, kwargs } = body;
  return {
    ...(values === undefined ? {} : { values: openValue(cipher, values, placeOf.values(String(thread_id))) }),
    ...(typeof error === "string" ? { error: cipher.openText(error, placeOf.error(run_id)) } : {}),
    ...(typeof kwargs === "object" && kwargs !== null
      ? { kwargs: shownKwargs({ ...openKwargs(cipher, run_id, kwargs) }) }
      : {}),
  };
}

/** Of an end of a run, as its row and its webhook keep it. */
export function sealEnd<End extends { readonly error?: string | undefined; readonly values?: unknown }>(
  cipher: Cipher,
  { thread_id, run_id }: Pick<EventRow, "thread_id" | "run_id">,
  end: End,
): End {
  const { error, values } = end;
  return {
    ...end,
    ...(error === undefined ? {} : { error: cipher.sealText(error, placeOf.error(run_id)) }),
    ...(values === undefined ? {} : { values: sealValue(cipher, values, placeOf.values(thread_id)) }),
  };
}

export function sealPayload(cipher: Cipher, cron_id: string, payload: JsonObject): string {
  return sealJson(cipher, payload, placeOf.payload(cron_id));
}
