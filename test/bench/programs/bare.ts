/** What somebody does who has no server: LangGraph with its stock PostgresSaver, told over IPC what to run. */

import { PostgresSaver } from "@langchain/langgraph-checkpoint-postgres";
import type { BareAnswer, BareCall } from "../contenders.ts";
import { two } from "./graphs.ts";

const saver = PostgresSaver.fromConnString(process.env["DATABASE_URL"] ?? "");
await saver.setup();
const durable = two.compile({ checkpointer: saver });
const forgetful = two.compile();

process.on("message", (call: BareCall) => {
  void perform(call).then((answer: BareAnswer) => process.send?.(answer));
});
process.once("disconnect", () => process.exit(0));
process.send?.({ ms: 0 } satisfies BareAnswer);

async function perform({ call, threadId, input }: BareCall): Promise<BareAnswer> {
  const config = { configurable: { thread_id: threadId } };
  const start = performance.now();
  if (call === "invoke") {
    await durable.invoke(input, config);
    return { ms: performance.now() - start };
  }
  const graph = call === "stream" ? durable : forgetful;
  let ms: number | undefined;
  for await (const _ of await graph.stream(input, { ...config, streamMode: "values" }))
    ms ??= performance.now() - start;
  return { ms: ms ?? Number.NaN };
}
