/** The SQL of resume links. One statement decides whose answer counts, in the transaction that stores the run of it. */

import sql, { type Sql } from "sql-template-tag";
import type { Principal } from "../core/auth.ts";
import type { FoundLink, ResumeLinkStore } from "../core/resume-links.ts";
import { KEPT_KWARGS } from "../core/run-kwargs.ts";
import { within } from "./access.ts";
import type { Database } from "./pool.ts";
import { runStore } from "./runs.ts";
import { rows } from "./sql.ts";
import { transaction } from "./transaction.ts";

export function resumeLinkStore(db: Database): ResumeLinkStore {
  return { insert: insert(db), find: find(db), answer: answer(db), removeExpired: removeExpired(db) };
}

const insert =
  (db: Database): ResumeLinkStore["insert"] =>
  async (
    { link_id, thread_id, interrupt_id, assistant_id, principal, choices, message, ...times },
    scope,
  ) => {
    const inserted = await rows(
      db,
      sql`
      insert into langgraph.resume_links (link_id, thread_id, interrupt_id, after_position, assistant_id, kwargs, choices,
        message, created_at, expires_at)
      select ${link_id}::uuid, t.thread_id, ${interrupt_id}::text, coalesce(newest.position, 0), ${assistant_id}::uuid,
        ${keptKwargs(principal)}, ${choices === undefined ? null : JSON.stringify(choices)}::jsonb, ${message ?? null}::text,
        ${times.created_at}::timestamptz, ${times.expires_at}::timestamptz
      from langgraph.threads t left join lateral (
        select r.position, r.kwargs from langgraph.runs r where r.thread_id = t.thread_id order by r.position desc limit 1
      ) newest on true
      where t.thread_id = ${thread_id} and t.status = 'interrupted' and ${asks(sql`${interrupt_id}::text`)}
        and ${within(scope, { owner: sql`t.owner`, metadata: sql`t.metadata` })}
      returning link_id`,
    );
    return inserted.length > 0;
  };

/** What the request of another user has left with the run is not for this one. */
function keptKwargs(principal: Principal | undefined): Sql {
  const kept = sql`(
    select coalesce(jsonb_object_agg(key, value), '{}') from jsonb_each(newest.kwargs) where key = any(${[...KEPT_KWARGS]}::text[]))`;
  if (principal === undefined) return kept;
  const identity = principal.user?.identity ?? null;
  return sql`(case when newest.kwargs #>> '{principal,user,identity}' is not distinct from ${identity}::text then ${kept}
    else ${kept} - 'request_headers' - 'made_context' end || jsonb_build_object('principal', ${JSON.stringify(principal)}::jsonb))`;
}

const find =
  (db: Database): ResumeLinkStore["find"] =>
  async (linkId) => {
    const [found] = await rows<FoundLink>(
      db,
      sql`
      select l.link_id, l.thread_id, l.interrupt_id, l.assistant_id, l.kwargs, l.choices, l.message, l.expires_at, l.used_at,
        t.status in ('interrupted', 'busy') and ${asks(sql`l.interrupt_id`)} and not ${isAnswered} as is_asked,
        t.status = 'busy' as is_busy,
        jsonb_path_query_first(t.interrupts, ${PATH}::jsonpath, jsonb_build_object('id', l.interrupt_id)) -> 'value' as value
      from langgraph.resume_links l join langgraph.threads t on t.thread_id = l.thread_id
      where l.link_id = ${linkId}::uuid`,
    );
    return found ?? null;
  };

/**
 * The thread's row is locked first, by a statement of its own: what the next one sees is then the newest, and nobody
 * else starts a run on the thread before this one is stored.
 */
const answer =
  (db: Database): ResumeLinkStore["answer"] =>
  async ({ link_id, thread_id }, run, now) =>
    transaction(db, async (within) => {
      await rows(within, sql`select from langgraph.threads where thread_id = ${thread_id} for update`);
      const claimed = await rows(
        within,
        sql`
        update langgraph.resume_links l set used_at = ${now}
        from langgraph.threads t
        where l.link_id = ${link_id}::uuid and t.thread_id = l.thread_id and t.status = 'interrupted'
          and l.used_at is null and l.expires_at > ${now} and ${asks(sql`l.interrupt_id`)} and not ${isAnswered}
        returning l.link_id`,
      );
      return claimed.length === 0 ? null : runStore(within).admit(run, now);
    });

const removeExpired =
  (db: Database): ResumeLinkStore["removeExpired"] =>
  async (now, limit) => {
    const removed = await rows(
      db,
      sql`
      delete from langgraph.resume_links l using (
        select link_id from langgraph.resume_links where expires_at <= ${now}
        order by expires_at limit ${limit} for update skip locked
      ) old
      where l.link_id = old.link_id returning l.link_id`,
    );
    return removed.length;
  };

/** The interrupt of this id, of whichever task. */
const PATH = "$.*[*] ? (@.id == $id)";

const asks = (interruptId: Sql): Sql =>
  sql`jsonb_path_exists(t.interrupts, ${PATH}::jsonpath, jsonb_build_object('id', ${interruptId}))`;

/**
 * Whether a run has come since that had an answer for the interrupt: a node that asks several times, one question after
 * the other, has the same id for all of them. An answer without ids is taken for one to this.
 */
const isAnswered = sql`exists (
  select from langgraph.runs r, lateral (select r.kwargs -> 'command' -> 'resume' as resume) given
  where r.thread_id = l.thread_id and r.position > l.after_position and r.claims > 0 and r.kwargs -> 'command' ? 'resume'
    and case jsonb_typeof(resume)
      when 'object' then resume ? l.interrupt_id or resume = '{}'
        or exists (select from jsonb_object_keys(resume) as key where key !~ '^[0-9a-f]{32}$')
      else true end)`;
