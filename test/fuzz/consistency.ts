/** What must be true of the database whatever was asked of the server. */

import { expect } from "vitest";
import type { TestDatabase } from "../support/database.ts";

/** Each finds what should not be. */
const FAULTS: Readonly<Record<string, string>> = {
  "a thread counts other active runs than it has": `
    select t.thread_id, t.active_runs, count(r.run_id)::int as runs from langgraph.threads t
    left join langgraph.runs r on r.thread_id = t.thread_id and r.status in ('pending', 'running')
    group by t.thread_id, t.active_runs having t.active_runs <> count(r.run_id)`,
  "a thread is busy without an active run": `
    select thread_id, status, active_runs from langgraph.threads where status = 'busy' and active_runs = 0`,
  "a run has no thread": `
    select run_id from langgraph.runs r where not exists (select from langgraph.threads t where t.thread_id = r.thread_id)`,
  "a run that has ended holds a lease, or one that runs has none": `
    select run_id, status from langgraph.runs where (status = 'running') <> (lease_id is not null)`,
  "a run of a graph has an assistant that never was": `
    select run_id, assistant_id from langgraph.runs r where graph_id not in
    ('echo', 'counter', 'pausing', 'nested', 'checked', 'unstreamed')`,
  "events are beyond their thread's last": `
    select e.thread_id, max(e.seq), t.last_seq from langgraph.events e join langgraph.threads t using (thread_id)
    group by e.thread_id, t.last_seq having max(e.seq) > t.last_seq`,
  "events of a run were written in another order than their numbers": `
    select * from (
      select thread_id, run_id, seq, created_at,
        lag(created_at) over (partition by thread_id, run_id order by seq) as before from langgraph.events) e
    where created_at < before`,
  "an event is no JSON": `
    select thread_id, seq from langgraph.events where data is not json`,
  "a checkpoint misses a value": `
    select c.thread_id, c.checkpoint_id, v.key from public.checkpoints c,
      jsonb_each_text(c.checkpoint -> 'channel_versions') v
    where not exists (
      select from public.checkpoint_blobs b
      where b.thread_id = c.thread_id and b.checkpoint_ns = c.checkpoint_ns and b.channel = v.key and b.version = v.value)`,
  "a checkpoint has no thread": `
    select c.thread_id from public.checkpoints c
    where not exists (select from langgraph.threads t where t.thread_id = c.thread_id)`,
  // But for the answer to a thread without a checkpoint, which LangGraph keeps.
  "writes have no checkpoint": `
    select w.thread_id, w.checkpoint_id, w.channel from public.checkpoint_writes w
    where not exists (select from public.checkpoints c where c.thread_id = w.thread_id
      and c.checkpoint_ns = w.checkpoint_ns and c.checkpoint_id = w.checkpoint_id)
      and w.task_id <> '00000000-0000-0000-0000-000000000000'`,
  "values have no thread": `
    select b.thread_id from public.checkpoint_blobs b
    where not exists (select from langgraph.threads t where t.thread_id = b.thread_id)`,
  "an assistant has no version in force": `
    select assistant_id from langgraph.assistants a
    where not is_default and not exists (
      select from langgraph.assistant_versions v where v.assistant_id = a.assistant_id and v.version = a.version)`,
  "versions have no assistant": `
    select assistant_id from langgraph.assistant_versions v
    where not exists (select from langgraph.assistants a where a.assistant_id = v.assistant_id)`,
  "a cron has no thread": `
    select cron_id from langgraph.crons c where thread_id is not null
    and not exists (select from langgraph.threads t where t.thread_id = c.thread_id)`,
  "a temporary thread has outlived its run": `
    select thread_id from langgraph.threads where is_temporary and active_runs = 0`,
};

/** Until all runs have ended, a database is not to be judged. */
export async function expectConsistent({ query }: TestDatabase): Promise<void> {
  await expect
    .poll(
      async () =>
        query("select run_id, status from langgraph.runs where status in ('pending', 'running') limit 5"),
      {
        timeout: 120_000,
        interval: 250,
      },
    )
    .toEqual([]);
  const found: unknown[] = [];
  for (const [fault, sql] of Object.entries(FAULTS)) {
    const rows = await query(`select * from (${sql}) faults limit 3`);
    if (rows.length > 0) found.push({ fault, rows });
  }
  expect(found).toEqual([]);
}
