/** The SQL of crons. */

import sql, { empty, join, type Sql } from "sql-template-tag";
import type { Cron, CronCalendar, CronFilter, CronPage, CronStore, DueCron } from "../core/cron-store.ts";
import type { Scope } from "../core/auth.ts";
import { AppError } from "../errors.ts";
import { within, type ScopedColumns } from "./access.ts";
import { openValue, sealJson, type Cipher, type SealingDb } from "./encryption.ts";
import type { Database } from "./pool.ts";
import { runStore } from "./runs.ts";
import { openCron, placeOf, sealPayload } from "./sealed.ts";
import { isForeignKeyViolation, rows } from "./sql.ts";
import { transaction } from "./transaction.ts";

const COLUMNS: Readonly<Record<keyof Cron, Sql>> = {
  cron_id: sql`cron_id`,
  assistant_id: sql`assistant_id`,
  thread_id: sql`thread_id`,
  schedule: sql`schedule`,
  timezone: sql`timezone`,
  end_time: sql`end_time`,
  enabled: sql`enabled`,
  on_run_completed: sql`on_run_completed`,
  payload: sql`payload`,
  metadata: sql`metadata`,
  user_id: sql`user_id`,
  next_run_date: sql`next_run_date`,
  created_at: sql`created_at`,
  updated_at: sql`updated_at`,
};
const columns = join(Object.values(COLUMNS));

const OWNED: ScopedColumns = { owner: sql`user_id`, metadata: sql`metadata` };

export function cronStore(database: Database): CronStore {
  return {
    create: create(database),
    get: async (cron_id, scope) => {
      const which = sql`cron_id = ${cron_id} and ${within(scope, OWNED)}`;
      const [cron] = await rows<Cron>(database, sql`select ${columns} from langgraph.crons where ${which}`);
      return cron === undefined ? null : openCron(database.cipher, cron);
    },
    update: update(database),
    remove: async (cron_id, scope) => {
      const which = sql`cron_id = ${cron_id} and ${within(scope, OWNED)}`;
      const statement = sql`delete from langgraph.crons where ${which} returning cron_id`;
      return (await rows(database, statement)).length > 0;
    },
    search: async (filter, scope, page) => {
      const found = await rows<Partial<Cron> & Pick<Cron, "cron_id">>(database, search(filter, scope, page));
      return found.map((cron) => {
        const { cron_id, ...rest } = openCron(database.cipher, cron);
        return page.select.includes("cron_id") ? { ...rest, cron_id } : rest;
      });
    },
    count: async (filter, scope) => {
      const which = matches(filter, scope);
      const statement = sql`select count(*)::float8 as count from langgraph.crons where ${which}`;
      const [found] = await rows<{ count: number }>(database, statement);
      return found?.count ?? 0;
    },
  };
}

const create =
  (db: SealingDb): CronStore["create"] =>
  async ({ thread_id, ...cron }, threads, { principal, scopes }) => {
    const missing = (cause?: unknown): AppError =>
      new AppError("not_found", `Thread '${thread_id}' not found`, { cause });
    const isReached =
      thread_id === null
        ? sql`true`
        : sql`exists (select from langgraph.threads where thread_id = ${thread_id} and ${within(threads)})`;
    try {
      const made = await rows(
        db,
        sql`
        insert into langgraph.crons (${columns}, principal, scope)
        select ${cron.cron_id}::uuid, ${cron.assistant_id}::uuid, ${thread_id}, ${cron.schedule}, ${cron.timezone},
          ${cron.end_time}::timestamptz, ${cron.enabled}::boolean, ${cron.on_run_completed},
          ${sealPayload(db.cipher, cron.cron_id, cron.payload)}::jsonb, ${JSON.stringify(cron.metadata)}::jsonb, ${cron.user_id},
          ${cron.next_run_date}::timestamptz, ${cron.created_at}::timestamptz, ${cron.updated_at}::timestamptz,
          ${principal === null ? null : sealJson(db.cipher, principal, placeOf.principal(cron.cron_id))}::jsonb, ${asJson(scopes)}::jsonb
        where ${isReached} returning cron_id`,
      );
      if (made.length === 0) throw missing();
    } catch (error) {
      throw isForeignKeyViolation(error, "crons_thread_id_fkey") ? missing(error) : error;
    }
  };

function asJson(value: object | null): string | null {
  return value === null ? null : JSON.stringify(value);
}

const update =
  (db: SealingDb): CronStore["update"] =>
  async (cron, scope, seen, next) => {
    const [updated] = await rows<Cron>(
      db,
      sql`
      update langgraph.crons
      set schedule = ${cron.schedule}, timezone = ${cron.timezone}, end_time = ${cron.end_time}, enabled = ${cron.enabled},
        on_run_completed = ${cron.on_run_completed}, payload = ${sealPayload(db.cipher, cron.cron_id, cron.payload)}::jsonb,
        metadata = ${JSON.stringify(cron.metadata)}::jsonb, updated_at = ${cron.updated_at}
        ${next === undefined ? empty : sql`, next_run_date = ${next}`}
      where cron_id = ${cron.cron_id} and date_trunc('milliseconds', updated_at) = ${seen} and ${within(scope, OWNED)}
      returning ${columns}`,
    );
    return updated === undefined ? null : openCron(db.cipher, updated);
  };

/** Besides what is wanted, it brings the id: a payload opens only where it is known whose it is. */
function search(
  filter: CronFilter,
  scope: Scope,
  { select, sort_by, sort_order, limit, offset }: CronPage,
): Sql {
  const fields = new Set<keyof Cron>([...select, "cron_id"]);
  const direction = sort_order === "asc" ? sql`asc` : sql`desc`;
  const byId = sort_by === "cron_id" ? empty : sql`, cron_id ${direction}`;
  return sql`
    select ${join([...fields].map((field) => COLUMNS[field]))} from langgraph.crons
    where ${matches(filter, scope)}
    order by ${COLUMNS[sort_by]} ${direction}${byId} limit ${limit} offset ${offset}`;
}

function matches({ assistant_id, thread_id, enabled, metadata }: CronFilter, scope: Scope): Sql {
  return join(
    [
      within(scope, OWNED),
      ...(assistant_id === undefined ? [] : [sql`assistant_id = ${assistant_id}`]),
      ...(thread_id === undefined ? [] : [sql`thread_id = ${thread_id}`]),
      ...(enabled === undefined ? [] : [sql`enabled = ${enabled}`]),
      ...(metadata === undefined ? [] : [sql`metadata @> ${JSON.stringify(metadata)}::jsonb`]),
    ],
    " and ",
  );
}

export function cronCalendar(database: Database): CronCalendar {
  return {
    due: async (now, limit) => {
      const found = await rows<DueCron>(
        database,
        sql`
        select ${columns}, principal, scope as scopes from langgraph.crons where next_run_date <= ${now} order by next_run_date limit ${limit}`,
      );
      return found.map((cron) => openedWhenAsked(database.cipher, cron));
    },
    fire: async ({ cron_id, next_run_date }, next, now, run) =>
      transaction(database, async (tx) => {
        const moved = await rows(
          tx,
          sql`
          update langgraph.crons set next_run_date = ${next}
          where cron_id = ${cron_id} and date_trunc('milliseconds', next_run_date) = ${next_run_date} returning cron_id`,
        );
        if (moved.length === 0) return { hasMoved: false };
        const refusal = run === null ? undefined : await refusalOf(runStore(tx).admit(run, now));
        return { hasMoved: true, ...(refusal === undefined ? {} : { refusal }) };
      }),
  };
}

/** A payload that does not open keeps no other cron from being fired. */
function openedWhenAsked(cipher: Cipher, cron: DueCron): DueCron {
  return {
    ...cron,
    get payload() {
      return openCron(cipher, cron).payload;
    },
    get principal() {
      return openValue(cipher, cron.principal, placeOf.principal(cron.cron_id));
    },
  };
}

/** Why a run is not admitted, if there is a reason that another try would not mend. */
async function refusalOf(admission: Promise<unknown>): Promise<AppError | undefined> {
  try {
    await admission;
    return undefined;
  } catch (error) {
    const isMended = error instanceof AppError && ["unavailable", "assistant_changed"].includes(error.code);
    if (error instanceof AppError && !isMended) return error;
    throw error;
  }
}
