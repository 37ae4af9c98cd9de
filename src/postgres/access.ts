/** Which rows a caller reaches, as a condition of the statements about them. */

import sql, { join, type Sql } from "sql-template-tag";
import { isEverything, type MetadataCondition, type Scope } from "../core/auth.ts";

/** Where a table keeps what scopes ask about. */
export interface ScopedColumns {
  readonly owner: Sql;
  readonly metadata: Sql;
}

const OWN: ScopedColumns = { owner: sql`owner`, metadata: sql`metadata` };

/** For a `where` clause; `true` where everything is within reach. */
export function within({ owner, metadata = [] }: Scope, columns = OWN): Sql {
  const conditions = metadata.map((condition) => meets(columns.metadata, condition));
  if (owner !== undefined) conditions.push(sql`${columns.owner} = ${owner}`);
  return conditions.length === 0 ? sql`true` : join(conditions, " and ");
}

/** Of a run, by the thread that it is on; `true` where everything is within reach. */
export function onThreadWithin(scope: Scope, threadId: Sql): Sql {
  if (isEverything(scope)) return sql`true`;
  const columns = { owner: sql`reached.owner`, metadata: sql`reached.metadata` };
  return sql`exists (
    select from langgraph.threads reached where reached.thread_id = ${threadId} and ${within(scope, columns)})`;
}

/** Containment finds the row by its index, and lets more pass than is asked for: a list for one of its items. */
function meets(metadata: Sql, condition: MetadataCondition): Sql {
  const { field } = condition;
  const wanted = "is" in condition ? condition.is : condition.contains;
  const found = sql`${metadata} @> ${JSON.stringify({ [field]: wanted })}::jsonb`;
  return "is" in condition
    ? sql`${found} and ${metadata} -> ${field}::text = ${JSON.stringify(wanted)}::jsonb`
    : sql`${found} and jsonb_typeof(${metadata} -> ${field}::text) = 'array'`;
}
