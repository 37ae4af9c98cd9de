/** Fills a database with runs that are over, as executors would have left them. */

export const RUNS_OF_A_THREAD = 5;

export function threadId(number: number): string {
  return `thread-${number}`;
}

export async function fill(query: (statement: string) => Promise<void>, runs: number): Promise<void> {
  const threads = runs / RUNS_OF_A_THREAD;
  const began = (count: string): string => `now() - make_interval(secs => ${count} / 10.0)`;
  await query(`
    insert into langgraph.threads (thread_id, status, metadata, "values", last_seq, created_at, updated_at, state_updated_at)
    select 'thread-' || n, 'idle', jsonb_build_object('owner', 'user-' || n % 1000, 'graph_id', 'two'),
      '{"messages": ["Hello", "Hello to you, too"]}', ${RUNS_OF_A_THREAD}, ${began("n")}, ${began("n")}, ${began("n")}
    from generate_series(0, ${threads - 1}) n`);
  await query(`
    insert into langgraph.runs (run_id, thread_id, assistant_id, graph_id, status, kwargs, multitask_strategy,
      created_at, updated_at, due_at, woken_at, claims, attempt)
    select gen_random_uuid(), 'thread-' || n % ${threads}, gen_random_uuid(), 'two',
      case when n % 20 = 0 then 'error' else 'success' end,
      '{"input": {"messages": ["Hello"]}, "config": {}, "stream_mode": ["values"]}', 'enqueue',
      ${began("n")}, ${began("n")}, ${began("n")}, ${began("n")}, 1, 1
    from generate_series(0, ${runs - 1}) n`);
  await query(`
    insert into langgraph.events (thread_id, seq, run_id, event, data, created_at)
    select thread_id, row_number() over (partition by thread_id order by position), run_id, 'values',
      '{"messages":["Hello","Hello to you, too"]}', created_at
    from langgraph.runs`);
  await query(`
    insert into public.checkpoints (thread_id, checkpoint_ns, checkpoint_id, parent_checkpoint_id, checkpoint, metadata)
    select 'thread-' || n % ${threads}, '', lpad((n / ${threads})::text, 12, '0'), null,
      '{"v": 4, "id": "x", "ts": "2026-01-01T00:00:00Z", "channel_versions": {"messages": 1}, "versions_seen": {}}',
      '{"source": "loop", "step": 1, "parents": {}}'
    from generate_series(0, ${runs - 1}) n`);
  await query(`
    insert into public.checkpoint_blobs (thread_id, checkpoint_ns, channel, version, type, blob)
    select 'thread-' || n, '', 'messages', '1', 'json', '["Hello","Hello to you, too"]'::bytea
    from generate_series(0, ${threads - 1}) n`);
  for (const table of ["langgraph.threads", "langgraph.runs", "langgraph.events"])
    await query(`vacuum analyze ${table}`);
  for (const table of ["checkpoints", "checkpoint_blobs", "checkpoint_writes"])
    await query(`vacuum analyze public.${table}`);
}
