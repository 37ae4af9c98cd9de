import { Annotation, type LangGraphRunnableConfig, START, StateGraph } from "@langchain/langgraph";
import { expect, test } from "vitest";
import { startServer, type TestServer } from "../support/server.ts";

const STEPS = 6;
const Count = Annotation.Root({
  count: Annotation<number>({ reducer: (_, next) => next, default: () => 0 }),
});

function counting() {
  return new StateGraph(Count)
    .addNode("step", ({ count }, { writer }: LangGraphRunnableConfig) => {
      writer?.(count);
      return { count: count + 1 };
    })
    .addEdge(START, "step")
    .addConditionalEdges("step", ({ count }) => (count < STEPS ? "step" : "__end__"));
}

/** Notes what the log has at the moment at which a checkpoint is saved. */
const noteLog = `
  create table public.saved (step integer, "values" integer, updates integer, custom integer, tasks integer, events integer);
  create function public.note_log() returns trigger language plpgsql security definer as $$
  begin
    insert into public.saved
      select (new.metadata ->> 'step')::int, count(*) filter (where event = 'values'), count(*) filter (where event = 'updates'),
        count(*) filter (where event = 'custom'), count(*) filter (where event = 'tasks'),
        count(*) filter (where event = 'events' and data::jsonb @> '{"event": "on_chain_end", "name": "step"}')
      from langgraph.events where thread_id = new.thread_id;
    return null;
  end $$;
  create trigger note_log after insert on public.checkpoints for each row execute function public.note_log()`;

async function notingLog(server: TestServer): Promise<AsyncDisposable> {
  await server.database.query(noteLog);
  const forget = "drop function public.note_log() cascade";
  return { [Symbol.asyncDispose]: async () => void (await server.database.query(forget)) };
}

test.each(["async", "sync"])(
  "no checkpoint is saved before what was streamed until then: %s",
  async (durability) => {
    await using server = await startServer({ graphs: [{ name: "counting", graph: counting().compile() }] });
    await using _noting = await notingLog(server);
    const body = {
      assistant_id: "counting",
      input: { count: 0 },
      stream_mode: ["values", "updates", "custom", "tasks", "events"],
      durability,
    };
    expect((await server.post("/runs/wait", body)).body).toEqual({ count: STEPS });
    const saved = await server.database.query("select * from public.saved where step > 0 order by step");
    expect(saved).toHaveLength(STEPS);
    for (const { step, ...logged } of saved) {
      const steps = Number(step);
      // Of the values, the newest may be missing: who goes on from the state streams it first.
      const least = { values: steps, updates: steps, custom: steps, tasks: steps * 2, events: steps };
      for (const [event, count] of Object.entries(least))
        expect([step, event, Number(logged[event]) >= count]).toEqual([step, event, true]);
    }
  },
);
