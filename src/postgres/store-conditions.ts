/** What the statements of the store have in common: which items they are about. */

import sql, { join, type Sql } from "sql-template-tag";
import type { MetadataCondition } from "../core/auth.ts";
import { OWNED } from "../core/store-access.ts";
import type { Comparison, FilterCondition } from "../core/store-filter.ts";
import { within } from "./access.ts";

/** Which items a statement is about, besides those that it names; undefined for all. */
export type Reach = readonly MetadataCondition[] | undefined;

/** Whether an item of the store that all share is within reach; to be read as `true` or not, and never null. */
export function reached(reach: Reach): Sql {
  if (reach === undefined) return sql`true`;
  const conditions = reach.map((condition) =>
    within({ metadata: [condition] }, { owner: sql`null`, metadata: told(condition.field) }),
  );
  return sql`(${join([sql`left(namespace[1], 1) <> ${OWNED}`, ...conditions], " and ")})`;
}

/** As the official server tells of an item: its value, over which go its name's parts. */
function told(field: string): Sql {
  if (field === "namespace") return sql`jsonb_build_object('namespace', namespace)`;
  return field === "key" ? sql`jsonb_build_object('key', key)` : sql`value`;
}

/** Items that have not expired. */
export function live(now: Date): Sql {
  return sql`(expires_at is null or expires_at > ${now}::timestamptz)`;
}

/** All below a namespace, which are one range of the primary key: up to the first text after its last label. */
export function below(prefix: readonly string[]): Sql {
  const last = prefix.at(-1);
  if (last === undefined) return sql`true`;
  const end = [...prefix.slice(0, -1), `${last}\u0001`];
  return sql`namespace >= ${prefix}::text[] and namespace < ${end}::text[]`;
}

/** Whether a namespace begins or ends with labels; `*` is any label. */
export function matches(position: "prefix" | "suffix", labels: readonly string[]): readonly Sql[] {
  if (labels.length === 0) return [];
  const places = labels.flatMap((label, index) => {
    if (label === "*") return [];
    const place =
      position === "prefix"
        ? sql`${index + 1}::int`
        : sql`cardinality(namespace) - ${labels.length - index - 1}::int`;
    return [sql`namespace[${place}] = ${label}`];
  });
  return [sql`cardinality(namespace) >= ${labels.length}::int`, ...places];
}

/** A part of a statement that starts the time to live of what it `found` anew. Rows that somebody else writes just now are left to them. */
export function refreshed(now: Date, which: Sql): Sql {
  return sql`refreshed as (
    update langgraph.store_items as item set expires_at = ${now}::timestamptz + ttl_minutes * interval '1 minute'
    from (
      select item.namespace, item.key from found join langgraph.store_items as item using (namespace, key)
      where item.ttl_minutes is not null and ${which} for update of item skip locked
    ) as free
    where item.namespace = free.namespace and item.key = free.key
  )`;
}

/** `value` is the item's. Containment first where it applies: it has an index. */
export function holds(condition: FilterCondition): Sql {
  const { field, test } = condition;
  const found = sql`value -> ${field}::text`;
  switch (test) {
    case "contains":
      return sql`value @> ${json({ [field]: condition.value })}`;
    case "equals":
      return sql`(value @> ${json({ [field]: condition.value })} and ${found} = ${json(condition.value)})`;
    case "differs":
      return sql`${found} is distinct from ${json(condition.value)}`;
    case "is_in":
      return sql`${found} = any(${condition.values.map(text)}::jsonb[])`;
    case "is_not_in":
      return sql`coalesce(${found} <> all(${condition.values.map(text)}::jsonb[]), true)`;
    case "above":
    case "at_least":
    case "below":
    case "at_most":
      return compared(field, test, condition.value);
  }
}

const OPERATORS: Readonly<Record<Comparison, Sql>> = {
  above: sql`>`,
  at_least: sql`>=`,
  below: sql`<`,
  at_most: sql`<=`,
};

/** As JavaScript writes numbers; more digits would be too many for Postgres. */
const NUMERAL = "^\\s*[-+]?(\\d{1,255}(\\.\\d{0,255})?|\\.\\d{1,255})([eE][-+]?\\d{1,3})?\\s*$";

function compared(field: string, test: Comparison, value: number | string): Sql {
  const found = sql`value ->> ${field}::text`;
  const kind = sql`jsonb_typeof(value -> ${field}::text)`;
  const operator = OPERATORS[test];
  if (typeof value === "string")
    return sql`(${kind} = 'string' and (${found}) collate "C" ${operator} ${value})`;
  const isNumber = sql`${kind} = 'number' or (${kind} = 'string' and ${found} ~ ${NUMERAL})`;
  return sql`case when ${isNumber} then (${found})::numeric ${operator} ${value}::numeric else false end`;
}

function json(value: unknown): Sql {
  return sql`${text(value)}::jsonb`;
}

function text(value: unknown): string {
  return JSON.stringify(value);
}
