/** The SQL of resume links. One statement decides whose answer counts, in the transaction that stores the run of it. */

import sql from "sql-template-tag";
import type { ResumeLinkStore, StoredLink } from "../core/resume-links.ts";
import { within } from "./access.ts";
import { openValue, sealJson, type Cipher, type Place } from "./encryption.ts";
import type { Database } from "./pool.ts";
import { removeBatch } from "./remove-batch.ts";
import { runStore } from "./runs.ts";
import { openRun, placeOf } from "./sealed.ts";
import { rows } from "./sql.ts";
import { threadStore } from "./threads.ts";
import { transaction } from "./transaction.ts";

export function resumeLinkStore(db: Database): ResumeLinkStore {
  return { insert: insert(db), find: find(db), answer: answer(db), removeExpired: removeExpired(db) };
}

const insert =
  (db: Database): ResumeLinkStore["insert"] =>
  async ({ link_id, run_id, interrupt_id, principal, choices, message, created_at, expires_at }, scope) => {
    const sealed = (value: unknown, place: (id: string) => Place): string | null =>
      value === null ? null : sealJson(db.cipher, value, place(link_id));
    const inserted = await rows(
      db,
      sql`
      insert into langgraph.resume_links
        (link_id, run_id, interrupt_id, principal, choices, message, created_at, expires_at)
      select ${link_id}::uuid, newest.run_id, ${interrupt_id}::text, ${sealed(principal, placeOf.linkPrincipal)}::jsonb, ${sealed(choices, placeOf.choices)}::jsonb,
        ${message === null ? null : db.cipher.sealText(message, placeOf.message(link_id))}::text, ${created_at}::timestamptz, ${expires_at}::timestamptz
      from (
        select r.run_id, r.thread_id from langgraph.runs r
        where r.thread_id = (select thread_id from langgraph.runs where run_id = ${run_id}::uuid)
        order by r.position desc limit 1
      ) newest join langgraph.threads t on t.thread_id = newest.thread_id
      where newest.run_id = ${run_id}::uuid and t.status = 'interrupted'
        and ${within(scope, { owner: sql`t.owner`, metadata: sql`t.metadata` })}
      returning link_id`,
    );
    return inserted.length > 0;
  };

const find =
  (db: Database): ResumeLinkStore["find"] =>
  async (linkId) => {
    const [found] = await rows<StoredLink>(
      db,
      sql`
      select l.link_id, l.run_id, r.thread_id, r.assistant_id, r.kwargs, l.interrupt_id, l.principal, l.choices, l.message, l.expires_at, l.used_at
      from langgraph.resume_links l join langgraph.runs r on r.run_id = l.run_id
      where l.link_id = ${linkId}::uuid`,
    );
    return found === undefined ? null : opened(db.cipher, found);
  };

function opened(cipher: Cipher, link: StoredLink): StoredLink {
  const { link_id, principal, choices, message } = link;
  return {
    ...openRun(cipher, link),
    principal: openValue(cipher, principal, placeOf.linkPrincipal(link_id)),
    choices: openValue(cipher, choices, placeOf.choices(link_id)),
    message: message === null ? null : cipher.openText(message, placeOf.message(link_id)),
  };
}

/**
 * The thread's row is locked first, by a statement of its own: what the next ones see is then the newest, and nobody
 * else starts a run on the thread before this one is stored.
 */
const answer =
  (db: Database): ResumeLinkStore["answer"] =>
  async ({ link_id, thread_id }, run, now, isAsked) =>
    transaction(db, async (within) => {
      await rows(within, sql`select from langgraph.threads where thread_id = ${thread_id} for update`);
      const runs = runStore(within);
      if (!(await isAsked({ threads: threadStore(within), runs }))) return null;
      const claimed = await rows(
        within,
        sql`
        update langgraph.resume_links set used_at = ${now}
        where link_id = ${link_id}::uuid and used_at is null and expires_at > ${now} returning link_id`,
      );
      return claimed.length === 0 ? null : runs.admit(run, now);
    });

const removeExpired =
  (db: Database): ResumeLinkStore["removeExpired"] =>
  async (now, limit) =>
    removeBatch(db, sql`langgraph.resume_links`, {
      where: sql`expires_at <= ${now}`,
      order: sql`expires_at`,
      limit,
    });
