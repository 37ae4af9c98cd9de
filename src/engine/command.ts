/** LangGraph's own command, from what a client sends. */

import type { Command, Destination } from "../core/run-kwargs.ts";

/** Lazily, as it loads LangGraph. */
export async function toCommand({ resume, update, goto }: Command): Promise<unknown> {
  const { Command: LangGraphCommand, Send } = await import("@langchain/langgraph");
  const target = (to: Destination) => (typeof to === "string" ? to : new Send(to.node, to.input));
  const pairs = isPairs(update) ? update.map(([key, value]): [string, unknown] => [key, value]) : update;
  return new LangGraphCommand({
    ...(resume === undefined ? {} : { resume }),
    ...(pairs === undefined ? {} : { update: pairs }),
    ...(goto === undefined ? {} : { goto: [goto].flat().map(target) }),
  });
}

function isPairs(update: Command["update"]): update is readonly (readonly [string, unknown])[] {
  return Array.isArray(update);
}
