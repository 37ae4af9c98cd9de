/** The graphs of the chaos tests' processes: they note in the database what they execute, and wait there for the test. */

import { setTimeout as delay } from "node:timers/promises";
import { Annotation, type LangGraphRunnableConfig, START, StateGraph } from "@langchain/langgraph";
import { Pool } from "pg";

const { DATABASE_URL, DIARY_URL = DATABASE_URL } = process.env;
const diary = new Pool({ connectionString: DIARY_URL, max: 2 });
diary.on("error", () => undefined);

const State = Annotation.Root({
  text: Annotation<string>,
  texts: Annotation<string[]>({ reducer: (all, more) => [...all, ...more], default: () => [] }),
  count: Annotation<number>({ reducer: (_, next) => next, default: () => 0 }),
});

/** What a node does, with its beginning and its end noted. */
function noted<Update>(
  node: string,
  act: (
    state: typeof State.State,
    signal: AbortSignal | undefined,
    config: LangGraphRunnableConfig,
  ) => Promise<Update>,
) {
  return async (state: typeof State.State, config: LangGraphRunnableConfig) => {
    const { configurable, signal } = config;
    const { thread_id, run_id }: Record<string, unknown> = configurable ?? {};
    const { rows } = await diary.query<{ id: number }>(
      `insert into executions (thread_id, run_id, node, process, began) values ($1, $2, $3, $4, clock_timestamp()) returning id`,
      [thread_id, run_id, node, process.pid],
    );
    const leave = async (how: string) =>
      diary.query(`update executions set ended = clock_timestamp(), how = $2 where id = $1`, [
        rows[0]?.id,
        how,
      ]);
    try {
      const update = await act(state, signal, config);
      await leave("finished");
      return update;
    } catch (error) {
      await leave("stopped");
      throw error;
    }
  };
}

/** Waits until the test opens the gate. */
async function gate(name: string, signal?: AbortSignal): Promise<void> {
  for (;;) {
    const { rowCount } = await diary.query("select from gates where name = $1", [name]);
    if (rowCount === 1) return;
    await delay(20, undefined, signal === undefined ? {} : { signal });
  }
}

/** Adds its text, in one quick step. */
const quick = new StateGraph(State)
  .addNode(
    "add",
    noted("add", async ({ text }) => ({ texts: [text] })),
  )
  .addEdge(START, "add")
  .compile();

/** Two nodes at once, one of which waits at a gate that is named after the text; then one that joins them. */
const fan = new StateGraph(State)
  .addNode(
    "fast",
    noted("fast", async () => ({ texts: ["fast"] })),
  )
  .addNode(
    "slow",
    noted("slow", async ({ text }) => {
      await gate(text);
      return { texts: ["slow"] };
    }),
  )
  .addNode(
    "join",
    noted("join", async ({ texts }) => ({ texts: [`${texts.length} joined`] })),
  )
  .addEdge(START, "fast")
  .addEdge(START, "slow")
  .addEdge(["fast", "slow"], "join")
  .compile();

/** Would sleep for a minute, if nobody stopped it. */
const sleeper = new StateGraph(State)
  .addNode(
    "sleep",
    noted("sleep", async (_, signal) => delay(60_000, {}, signal === undefined ? {} : { signal })),
  )
  .addEdge(START, "sleep")
  .compile();

/** Counts up, one short step after the other, as far as its text says. */
const steps = new StateGraph(State)
  .addNode(
    "step",
    noted("step", async ({ count }, signal) =>
      delay(
        Number(process.env["STEP_MS"] ?? 150),
        { count: count + 1 },
        signal === undefined ? {} : { signal },
      ),
    ),
  )
  .addEdge(START, "step")
  .addConditionalEdges("step", ({ count, text }) => (count < Number(text) ? "step" : "__end__"))
  .compile();

/** Writes to the store; then waits at a gate, and tells for whom it runs and what it finds in the store. */
const whose = new StateGraph(State)
  .addNode(
    "keep",
    noted("keep", async ({ text }, _, { store }) => {
      await store?.put(["notes"], text, { text });
      return {};
    }),
  )
  .addNode(
    "tell",
    noted("tell", async ({ text }, _, { configurable, store }) => {
      await gate(text);
      const { langgraph_auth_user_id, langgraph_auth_permissions }: Record<string, unknown> =
        configurable ?? {};
      const notes = (await store?.search(["notes"])) ?? [];
      return {
        texts: [
          String(langgraph_auth_user_id),
          String(langgraph_auth_permissions),
          ...notes.map(({ key }) => key),
        ],
      };
    }),
  )
  .addEdge(START, "keep")
  .addEdge("keep", "tell")
  .compile();

/** By their names. */
export const graphs = Object.entries({ quick, fan, sleeper, steps, whose }).map(([name, graph]) => ({
  name,
  graph,
}));
