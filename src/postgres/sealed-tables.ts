/** Every column that is sealed, for those who seal whole tables anew. */

import sql, { type Sql } from "sql-template-tag";
import { isJsonObject, type JsonObject } from "../core/model.ts";
import { openValue, sealValue, type Cipher, type Place } from "./encryption.ts";
import { openDelivery, openRun, placeOf, sealKwargs } from "./sealed.ts";
import { openTyped, placeOfBlob, placeOfWrite, sealTyped } from "./sealed-checkpoints.ts";

export type StoredRow = Readonly<Record<string, unknown>>;

interface Column {
  readonly name: string;
  readonly type: string;
}

interface ContentColumn extends Column {
  /** What the column is set to, where it comes as something else. */
  readonly from?: Sql;
}

export interface SealedTable {
  readonly name: string;
  readonly key: readonly Column[];
  readonly contents: readonly ContentColumn[];
  /** The key, the contents, and what else their places are made of. */
  readonly columns: Sql;
  /** For rows with something that is not sealed under what starts with `newest`. The table is `t`. */
  readonly isOld: (newest: string) => Sql;
  /** `from` is the thread that the contents were sealed for, if it is not the row's. */
  readonly reseal: (cipher: Cipher, row: StoredRow, from?: string) => StoredRow;
}

/** The key of a row, whose columns are read with it. */
const THREAD = { name: "thread_id", type: "text" };

const threads: SealedTable = {
  name: "langgraph.threads",
  key: [THREAD],
  contents: [jsonb("values"), jsonb("interrupts")],
  columns: sql`thread_id, "values", interrupts`,
  isOld: (newest) => sql`(${isOldJson(sql`t."values"`, newest)} or ${isOldJson(sql`t.interrupts`, newest)})`,
  reseal: (cipher, { thread_id, values, interrupts }, from) => ({
    values: again(cipher, values, placeOf.values, [thread_id, from]),
    interrupts: again(cipher, interrupts, placeOf.interrupts, [thread_id, from]),
  }),
};

const runs: SealedTable = {
  name: "langgraph.runs",
  key: [uuid("run_id")],
  contents: [jsonb("kwargs"), jsonb("output"), text("error")],
  columns: sql`run_id, kwargs, output, error`,
  isOld: (newest) =>
    sql`(not starts_with(coalesce(t.kwargs ->> 'sealed', ''), ${newest}) or ${isOldJson(sql`t.output`, newest)}
      or not starts_with(t.error, ${newest}))`,
  reseal: (cipher, row) => {
    const run_id = String(row["run_id"]);
    const { kwargs } = openRun(cipher, { run_id, kwargs: isJsonObject(row["kwargs"]) ? row["kwargs"] : {} });
    return {
      kwargs: JSON.parse(sealKwargs(cipher, run_id, kwargs)) as unknown,
      output: again(cipher, row["output"], placeOf.output, [run_id]),
      error: textAgain(cipher, row["error"], placeOf.error(run_id)),
    };
  },
};

const events: SealedTable = {
  name: "langgraph.events",
  key: [THREAD, { name: "seq", type: "bigint" }],
  contents: [text("data")],
  columns: sql`thread_id, seq::float8 as seq, run_id, event, data`,
  isOld: (newest) => sql`not starts_with(t.data, ${newest})`,
  reseal: (cipher, { thread_id, seq, run_id, event, data }) => {
    const place = placeOf.event({
      thread_id: String(thread_id),
      seq: Number(seq),
      run_id: String(run_id),
      event: String(event),
    });
    return { data: textAgain(cipher, data, place) };
  },
};

const items: SealedTable = {
  name: "langgraph.store_items",
  key: [{ name: "namespace", type: "text[]" }, text("key")],
  contents: [jsonb("value")],
  columns: sql`namespace, key, value`,
  isOld: (newest) => isOldJson(sql`t.value`, newest),
  reseal: (cipher, { namespace, key, value }) => {
    const labels = Array.isArray(namespace) ? namespace.map(String) : [];
    const place = placeOf.item({ namespace: labels, key: String(key) });
    return { value: sealValue(cipher, openValue(cipher, value, place), place) };
  },
};

const crons: SealedTable = {
  name: "langgraph.crons",
  key: [uuid("cron_id")],
  contents: [jsonb("payload"), jsonb("principal")],
  columns: sql`cron_id, payload, principal`,
  isOld: (newest) => sql`(${isOldJson(sql`t.payload`, newest)} or ${isOldJson(sql`t.principal`, newest)})`,
  reseal: (cipher, { cron_id, payload, principal }) => ({
    payload: again(cipher, payload, placeOf.payload, [cron_id]),
    principal: again(cipher, principal, placeOf.principal, [cron_id]),
  }),
};

const assistants: SealedTable = {
  name: "langgraph.assistants",
  key: [uuid("assistant_id")],
  contents: [jsonb("config"), jsonb("context")],
  columns: sql`assistant_id, config, context`,
  isOld: (newest) => sql`(${isOldJson(sql`t.config`, newest)} or ${isOldJson(sql`t.context`, newest)})`,
  reseal: (cipher, { assistant_id, config, context }) => ({
    config: again(cipher, config, placeOf.config, [assistant_id]),
    context: again(cipher, context, placeOf.context, [assistant_id]),
  }),
};

const versions: SealedTable = {
  ...assistants,
  name: "langgraph.assistant_versions",
  key: [...assistants.key, { name: "version", type: "integer" }],
  columns: sql`version, ${assistants.columns}`,
};

const links: SealedTable = {
  name: "langgraph.resume_links",
  key: [uuid("link_id")],
  contents: [jsonb("principal"), jsonb("choices"), text("message")],
  columns: sql`link_id, principal, choices, message`,
  isOld: (newest) =>
    sql`(${isOldJson(sql`t.principal`, newest)} or ${isOldJson(sql`t.choices`, newest)} or not starts_with(t.message, ${newest}))`,
  reseal: (cipher, { link_id, principal, choices, message }) => ({
    principal: again(cipher, principal, placeOf.linkPrincipal, [link_id]),
    choices: again(cipher, choices, placeOf.choices, [link_id]),
    message: textAgain(cipher, message, placeOf.message(String(link_id))),
  }),
};

const webhooks: SealedTable = {
  name: "langgraph.webhooks",
  key: [uuid("webhook_id")],
  contents: [text("url"), jsonb("body")],
  columns: sql`webhook_id, url, body`,
  isOld: (newest) => sql`(not starts_with(t.url, ${newest}) or ${isOldJson(sql`t.body`, newest)})`,
  reseal: (cipher, row) => {
    const webhook_id = String(row["webhook_id"]);
    const stored = { webhook_id, url: String(row["url"]), attempts: 0 };
    const opened = openDelivery(cipher, {
      ...stored,
      body: openBody(cipher, row["body"], webhook_id),
    });
    return {
      url: cipher.sealText(opened.url, placeOf.url(webhook_id)),
      body: sealValue(cipher, opened.body, placeOf.body(webhook_id)),
    };
  },
};

const blobs: SealedTable = {
  name: "public.checkpoint_blobs",
  key: [THREAD, text("checkpoint_ns"), text("channel"), text("version")],
  contents: [text("type"), bytes("blob")],
  columns: sql`thread_id, checkpoint_ns, channel, version, type, blob`,
  isOld: (newest) => sql`(t.blob is not null and strpos(t.type, ${`+${newest}`}) = 0)`,
  reseal: (cipher, { thread_id, checkpoint_ns, channel, version, type, blob }, from) => {
    const placeIn = (thread: unknown): Place =>
      placeOfBlob({
        thread_id: String(thread),
        checkpoint_ns: String(checkpoint_ns),
        channel: String(channel),
        version: String(version),
      });
    return typedAgain(
      cipher,
      { type, blob },
      { before: placeIn(from ?? thread_id), now: placeIn(thread_id) },
    );
  },
};

const writes: SealedTable = {
  name: "public.checkpoint_writes",
  key: [
    THREAD,
    text("checkpoint_ns"),
    text("checkpoint_id"),
    text("task_id"),
    { name: "idx", type: "integer" },
  ],
  contents: [text("type"), bytes("blob")],
  columns: sql`thread_id, checkpoint_ns, checkpoint_id, task_id, idx, channel, type, blob`,
  isOld: (newest) => sql`strpos(coalesce(t.type, ''), ${`+${newest}`}) = 0`,
  reseal: (
    cipher,
    { thread_id, checkpoint_ns, checkpoint_id, task_id, channel, type, blob, ...row },
    from,
  ) => {
    const idx = Number(row["idx"]);
    const placeIn = (thread: unknown): Place =>
      placeOfWrite({
        thread_id: String(thread),
        checkpoint_ns: String(checkpoint_ns),
        checkpoint_id: String(checkpoint_id),
        task_id: String(task_id),
        idx,
        channel: String(channel),
      });
    const places = { before: placeIn(from ?? thread_id), now: placeIn(thread_id) };
    return typedAgain(cipher, { type, blob }, places, idx);
  },
};

/** What a copy of a thread has. */
export const COPIED: readonly SealedTable[] = [threads, blobs, writes];

export const TABLES: readonly SealedTable[] = [
  ...COPIED,
  runs,
  events,
  items,
  crons,
  assistants,
  versions,
  links,
  webhooks,
];

function text(name: string): Column {
  return { name, type: "text" };
}

function uuid(name: string): Column {
  return { name, type: "uuid" };
}

function jsonb(name: string): Column {
  return { name, type: "jsonb" };
}

/** Comes as base64. */
function bytes(name: "blob"): ContentColumn {
  return { name, type: "text", from: sql`decode(target.blob, 'base64')` };
}

/** Of a column that may be null; what is empty is not sealed. */
function isOldJson(column: Sql, newest: string): Sql {
  return sql`(${column} not in ('{}', 'null') and not starts_with(${column} #>> '{}', ${newest}))`;
}

/** Of a row with one id, or of the copy of one. */
function again(
  cipher: Cipher,
  stored: unknown,
  place: (id: string) => Place,
  [id, from = id]: readonly unknown[],
): unknown {
  return sealValue(cipher, openValue(cipher, stored, place(String(from))), place(String(id)));
}

function textAgain(cipher: Cipher, stored: unknown, place: Place): string | null {
  return typeof stored === "string" ? cipher.sealText(cipher.openText(stored, place), place) : null;
}

function typedAgain(
  cipher: Cipher,
  { type, blob }: StoredRow,
  { before, now }: { readonly before: Place; readonly now: Place },
  number?: number,
): StoredRow {
  if (!(blob instanceof Uint8Array)) return { type, blob: null };
  const opened = openTyped(cipher, { type: String(type), blob }, before);
  const sealed = sealTyped(cipher, opened, now, number);
  return { type: sealed.type, blob: Buffer.from(sealed.blob).toString("base64") };
}

function openBody(cipher: Cipher, stored: unknown, webhook_id: string): JsonObject {
  const body = openValue(cipher, stored, placeOf.body(webhook_id));
  return isJsonObject(body) ? body : {};
}
