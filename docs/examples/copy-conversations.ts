/**
 * Takes conversations over from an app of the Python package `azure-functions-langgraph`: the newest state of each thread,
 * read over its API, becomes the state of the thread of the same id here. A thread that is here already is left alone.
 *
 *     FROM_URL=https://…/api FROM_FUNCTION_KEY=… TO_URL=https://…/api TO_FUNCTION_KEY=… \
 *       npx tsx copy-conversations.ts chat conversation-1 conversation-2
 */

import { env } from "node:process";
import { pathToFileURL } from "node:url";
import { z } from "zod";

export interface Api {
  /** With its prefix: `https://my-agents.azurewebsites.net/api`. */
  readonly url: string;
  readonly functionKey?: string | undefined;
}

const State = z.object({ values: z.record(z.string(), z.unknown()), next: z.array(z.string()) });

/** @returns what became of it; `waits`: it is in the middle of a run over there, and is not copied. @throws Error with a server's refusal */
export async function copyConversation(
  from: Api,
  to: Api,
  { graph, threadId }: { readonly graph: string; readonly threadId: string },
): Promise<"copied" | "empty" | "kept" | "waits"> {
  const path = `/graphs/${graph}/threads/${encodeURIComponent(threadId)}/state`;
  const { values, next } = State.parse(await (await ask(from, path)).json());
  if (Object.keys(values).length === 0) return "empty";
  if (next.length > 0) return "waits";
  const supersteps = [
    { updates: [{ values, as_node: "__start__" }] },
    { updates: [{ values: null, as_node: "__end__" }] }, // what would come next has been done over there
  ];
  const thread = { thread_id: threadId, metadata: { graph_id: graph }, supersteps };
  const made = await ask(to, "/threads", thread);
  return made.status === 409 ? "kept" : "copied";
}

async function ask({ url, functionKey }: Api, path: string, body?: object): Promise<Response> {
  const headers = {
    "content-type": "application/json",
    ...(functionKey === undefined ? {} : { "x-functions-key": functionKey }),
  };
  const init = body === undefined ? { headers } : { method: "POST", headers, body: JSON.stringify(body) };
  const response = await fetch(url + path, init);
  if (response.ok || response.status === 409) return response;
  throw new Error(`${url}${path} answered ${response.status}: ${await response.text()}`);
}

function apiOf(side: "FROM" | "TO"): Api {
  const { [`${side}_URL`]: url, [`${side}_FUNCTION_KEY`]: functionKey } = env;
  if (url === undefined) throw new Error(`${side}_URL is missing`);
  return { url, functionKey };
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const [graph = "", ...threadIds] = process.argv.slice(2);
  for (const threadId of threadIds)
    console.log(threadId, await copyConversation(apiOf("FROM"), apiOf("TO"), { graph, threadId }));
}
