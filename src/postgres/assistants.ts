/** The SQL of assistants and their versions. */

import sql, { join, type Sql } from "sql-template-tag";
import type {
  Assistant,
  AssistantFilter,
  AssistantPage,
  AssistantPatch,
  AssistantStore,
  AssistantVersion,
  AssistantVersionStore,
  NewAssistant,
  Stored,
} from "../core/assistant-store.ts";
import { assistantIdOf, CREATED_BY_SYSTEM } from "../core/default-assistants.ts";
import type { Scope } from "../core/auth.ts";
import { once } from "../once.ts";
import { within } from "./access.ts";
import { sealJson, type Cipher, type Place, type SealingDb } from "./encryption.ts";
import type { Database } from "./pool.ts";
import { openAssistant, placeOf } from "./sealed.ts";
import { rows, type Db } from "./sql.ts";
import { transaction } from "./transaction.ts";

const content = sql`graph_id, name, description, config, context, metadata`;
const columns = sql`assistant_id, version, ${content}, created_at, updated_at`;

const SORT: Readonly<Record<AssistantPage["sort_by"], Sql>> = {
  assistant_id: sql`assistant_id`,
  graph_id: sql`graph_id`,
  name: sql`name`,
  created_at: sql`created_at`,
  updated_at: sql`updated_at`,
};

export function assistantStore(database: Database, graphs: readonly string[]): AssistantStore {
  const defaults = new DefaultAssistants(database, graphs);
  return {
    get: async (id, scope, now) => {
      const found = await get(database, defaults, id, scope);
      if (found !== null || !defaults.has(id)) return found;
      await defaults.make(now);
      return get(database, defaults, id, scope);
    },
    create: async (assistant, now) => {
      await defaults.present(new Date(now.getTime() - 1)); // they were there before any other
      return first(database, insert(database.cipher, assistant, now));
    },
    update: async (id, scope, patch, now) => {
      if (defaults.has(id)) await defaults.present(now);
      return first(database, update(database.cipher, { id, scope }, patch, now));
    },
    remove: async (id, scope, now) =>
      transaction(database, async (tx) => {
        const removed = await rows(
          tx,
          sql`
          with removed as (
            delete from langgraph.assistants where assistant_id = ${id}::uuid and ${within(scope)}
            returning assistant_id
          ), cron as (
            delete from langgraph.crons where assistant_id in (select assistant_id from removed)
          )
          select assistant_id from removed`,
        );
        if (defaults.has(id)) await defaults.make(now, tx);
        return removed.length > 0;
      }),
    search: async (filter, scope, page, now) => {
      await defaults.present(now);
      const which = matches(filter, scope, defaults.ids);
      const found = await rows<Stored<Assistant>>(database, search(which, page));
      return found.map((assistant) => openAssistant(database.cipher, assistant));
    },
    count: async (filter, scope, now) => {
      await defaults.present(now);
      const which = matches(filter, scope, defaults.ids);
      const [found] = await rows<{ count: number }>(
        database,
        sql`select count(*)::float8 as count from langgraph.assistants where ${which}`,
      );
      return found?.count ?? 0;
    },
  };
}

export function assistantVersionStore(db: SealingDb): AssistantVersionStore {
  return {
    list: async (id, scope, { metadata, limit, offset }) => {
      const found = await rows<Stored<AssistantVersion>>(
        db,
        sql`
        select assistant_id, version, ${content}, created_at from langgraph.assistant_versions as v
        where assistant_id = ${id}::uuid and metadata @> ${JSON.stringify(metadata ?? {})}::jsonb
          and ${isReadableVersion(scope)}
        order by version desc limit ${limit} offset ${offset}`,
      );
      return found.map((version) => openAssistant(db.cipher, version));
    },
    activate: async (id, scope, version, now) =>
      first(
        db,
        sql`
        update langgraph.assistants as a
        set version = v.version, graph_id = v.graph_id, name = v.name, description = v.description, config = v.config,
          context = v.context, metadata = v.metadata, updated_at = ${now}
        from langgraph.assistant_versions as v
        where a.assistant_id = ${id}::uuid and v.assistant_id = a.assistant_id and v.version = ${version}
          and ${within(scope, { owner: sql`a.owner`, metadata: sql`a.metadata` })}
        returning a.assistant_id, a.version, a.graph_id, a.name, a.description, a.config, a.context, a.metadata,
          a.created_at, a.updated_at`,
      ),
  };
}

/**
 * The default assistants of the registered graphs. Their rows hold nothing of what is registered, so that a row, once
 * there, is right for every deployment; and they are never missing again, so that a process looks but once.
 */
class DefaultAssistants {
  readonly ids: readonly string[];
  readonly #database: Database;
  readonly #graphs: readonly string[];

  constructor(database: Database, graphs: readonly string[]) {
    this.#database = database;
    this.#graphs = graphs;
    this.ids = graphs.map(assistantIdOf);
  }

  has(id: string): boolean {
    return this.ids.includes(id.toLowerCase());
  }

  /** Sees to it that they are there, the first time that it is asked. */
  readonly present: (now: Date) => Promise<void> = once(async (now: Date) => this.make(now));

  /**
   * Makes those that are missing: one statement, which only reads when none are. Their ids can be known before their graph
   * is deployed: what somebody has made under one by then gives way.
   */
  async make(now: Date, db: Db = this.#database): Promise<void> {
    await rows(
      db,
      sql`
      with made as (
        insert into langgraph.assistants (assistant_id, graph_id, name, metadata, is_default, created_at, updated_at)
        select assistant_id, graph_id, graph_id, ${JSON.stringify(CREATED_BY_SYSTEM)}::jsonb, true, ${now}::timestamptz, ${now}::timestamptz
        from unnest(${this.ids}::uuid[], ${this.#graphs}::text[]) as registered (assistant_id, graph_id)
        where not exists (
          select from langgraph.assistants as a where a.assistant_id = registered.assistant_id and a.is_default)
        order by assistant_id
        on conflict (assistant_id) do update
          set version = assistants.last_version + 1, last_version = assistants.last_version + 1, graph_id = excluded.graph_id,
            name = excluded.name, description = null, config = null, context = null, metadata = excluded.metadata,
            is_default = true, owner = null, created_at = excluded.created_at, updated_at = excluded.updated_at
          where not assistants.is_default
        returning ${columns}
      ), forgotten as (
        delete from langgraph.assistant_versions v using made
        where v.assistant_id = made.assistant_id and v.version < made.version
      )
      ${intoVersions(sql`made`)}`,
    );
  }
}

async function get(
  db: SealingDb,
  { ids }: DefaultAssistants,
  id: string,
  scope: Scope,
): Promise<Stored<Assistant> | null> {
  return first(
    db,
    sql`
    select ${columns} from langgraph.assistants where assistant_id = ${id}::uuid and ${isReadable(scope, ids)}`,
  );
}

/**
 * The default assistant of a graph is there as long as the graph is registered, and belongs to nobody. One that somebody
 * has made under its id before is none.
 */
function isReadable({ owner, metadata }: Scope, ids: readonly string[]): Sql {
  const isServed = owner === undefined ? sql`not is_default` : sql`owner = ${owner}`;
  const isDefault = sql`is_default and assistant_id = any(${ids}::uuid[])`;
  return sql`(${isServed} and assistant_id <> all(${ids}::uuid[]) or ${isDefault}) and ${within({ metadata })}`;
}

/** What the metadata was may say something else than what it is. */
function isReadableVersion({ owner, metadata = [] }: Scope): Sql {
  if (owner === undefined && metadata.length === 0) return sql`true`;
  const of = { owner: sql`a.owner`, metadata: sql`a.metadata` };
  const isOwn = owner === undefined ? sql`true` : sql`(a.is_default or a.owner = ${owner})`;
  return sql`${within({ metadata })} and exists (
    select from langgraph.assistants as a
    where a.assistant_id = v.assistant_id and ${isOwn} and ${within({ metadata }, of)})`;
}

function insert(cipher: Cipher, assistant: NewAssistant, now: Date): Sql {
  const { assistant_id, graph_id, name, description, config, context, metadata, owner } = assistant;
  const sealed = {
    config: sealJson(cipher, config, placeOf.config(assistant_id)),
    context: sealJson(cipher, context, placeOf.context(assistant_id)),
  };
  return sql`
    with made as (
      insert into langgraph.assistants (assistant_id, ${content}, created_at, updated_at, owner)
      values (${assistant_id}, ${graph_id}, ${name}, ${description}, ${sealed.config}::jsonb,
        ${sealed.context}::jsonb, ${JSON.stringify(metadata)}::jsonb, ${now}, ${now}, ${owner})
      on conflict (assistant_id) do nothing returning ${columns}
    ), version as (${intoVersions(sql`made`)})
    select ${columns} from made`;
}

function update(
  cipher: Cipher,
  { id, scope }: { readonly id: string; readonly scope: Scope },
  { metadata, ...patch }: AssistantPatch,
  now: Date,
): Sql {
  const sealed = (value: object | undefined, place: Place): string | null =>
    value === undefined ? null : sealJson(cipher, value, place);
  return sql`
    with changed as (
      update langgraph.assistants
      set version = last_version + 1, last_version = last_version + 1, updated_at = ${now},
        graph_id = coalesce(${patch.graph_id ?? null}, graph_id),
        name = coalesce(${patch.name ?? null}, name),
        description = coalesce(${patch.description ?? null}, description),
        config = coalesce(${sealed(patch.config, placeOf.config(id))}::jsonb, config),
        context = coalesce(${sealed(patch.context, placeOf.context(id))}::jsonb, context),
        metadata = metadata || ${JSON.stringify(metadata)}::jsonb
      where assistant_id = ${id}::uuid and ${within(scope)} returning ${columns}
    ), version as (${intoVersions(sql`changed`)})
    select ${columns} from changed`;
}

/** A version's time is when it came to be: when its assistant was made, or changed. */
function intoVersions(source: Sql): Sql {
  return sql`
    insert into langgraph.assistant_versions (assistant_id, version, ${content}, created_at)
    select assistant_id, version, ${content}, updated_at from ${source}`;
}

function search(condition: Sql, { sort_by, sort_order, limit, offset }: AssistantPage): Sql {
  const direction = sort_order === "asc" ? sql`asc` : sql`desc`;
  const byId = sort_by === "assistant_id" ? sql`` : sql`, assistant_id ${direction}`;
  return sql`
    select ${columns} from langgraph.assistants where ${condition}
    order by ${SORT[sort_by]} ${direction}${byId} limit ${limit} offset ${offset}`;
}

function matches(
  { metadata, graph_id, name, notOf }: AssistantFilter,
  scope: Scope,
  ids: readonly string[],
): Sql {
  const conditions = [isReadable(scope, ids)];
  if (metadata !== undefined && Object.keys(metadata).length > 0)
    conditions.push(sql`metadata @> ${JSON.stringify(metadata)}::jsonb`);
  if (graph_id !== undefined) conditions.push(sql`graph_id = ${graph_id}`);
  if (name !== undefined) conditions.push(sql`strpos(lower(name), lower(${name})) > 0`);
  if (notOf.length > 0) conditions.push(sql`graph_id <> all(${notOf}::text[])`);
  return join(conditions, " and ");
}

async function first(db: SealingDb, statement: Sql): Promise<Stored<Assistant> | null> {
  const [found] = await rows<Stored<Assistant>>(db, statement);
  return found === undefined ? null : openAssistant(db.cipher, found);
}
