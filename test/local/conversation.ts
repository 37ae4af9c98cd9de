/** Conversations with the example graph `chat`, as the program serves it. */

import { once } from "node:events";
import { createServer } from "node:http";
import { z } from "zod";
import type { ServingProgram } from "../support/program.ts";

/** What the assistant replies. */
export async function say(
  program: ServingProgram,
  text: string,
  thread = "conversation",
): Promise<string | undefined> {
  const { body } = await invoke(program, text, thread);
  return Reply.parse(body).output.messages.at(-1)?.content;
}

const Reply = z.object({ output: z.object({ messages: z.array(z.object({ content: z.string() })) }) });

interface Answer {
  readonly status: number;
  /** What becomes of the connection: `keep-alive` or `close`. */
  readonly connection: string | null;
  readonly body: unknown;
}

export async function invoke(
  program: ServingProgram,
  text: string,
  thread = "conversation",
): Promise<Answer> {
  const response = await post(program, "invoke", {
    input: inputOf(text),
    config: { configurable: { thread_id: thread } },
  });
  const { status, headers } = response;
  return { status, connection: headers.get("connection"), body: await response.json() };
}

/** Without a thread. */
export async function stream(program: ServingProgram, text: string): Promise<Response> {
  return post(program, "stream", { input: inputOf(text) });
}

function inputOf(text: string): object {
  return { messages: [{ role: "user", content: text }] };
}

async function post({ url }: ServingProgram, endpoint: string, body: object): Promise<Response> {
  return fetch(`${url}/graphs/chat/${endpoint}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
}

export interface HoldingModel extends AsyncDisposable {
  /** What makes `chat` use it. */
  readonly env: Readonly<Record<string, string>>;
  /** Resolves when it has been asked something. */
  readonly asked: Promise<unknown>;
}

/** A model that never replies, for runs that are under way for as long as a test wants. */
export async function holdingModel(): Promise<HoldingModel> {
  const server = createServer(() => undefined);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  return {
    env: { OPENAI_API_KEY: "none", CHAT_MODEL: "none", OPENAI_BASE_URL: `http://127.0.0.1:${port}` },
    asked: once(server, "request"),
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
    },
  };
}
