/** LangGraph's own command, from what a client sends. */

import type { Command } from "../core/ports.ts";

/** Lazily, as it loads LangGraph. */
export async function toCommand({ resume, update, goto }: Command): Promise<unknown> {
  const { Command: LangGraphCommand } = await import("@langchain/langgraph");
  return new LangGraphCommand({
    ...(resume === undefined ? {} : { resume }),
    ...(update === undefined ? {} : { update }),
    ...(goto === undefined ? {} : { goto: [goto].flat() }),
  });
}
