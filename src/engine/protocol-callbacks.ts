/**
 * LangGraph's own handler for messages of the protocol makes models answer in content blocks, and what they answer is
 * what the graph works with and saves. Which protocol a client speaks must not change that: so here the same handler
 * gets the tokens that models stream anyway, in the form of the protocol's events. Import it lazily: it loads LangChain.
 */

import { CallbackManager } from "@langchain/core/callbacks/manager";
import type { BaseCallbackHandler } from "@langchain/core/callbacks/base";
import { convertChunksToEvents } from "@langchain/core/language_models/compat";
import { AIMessageChunk } from "@langchain/core/messages";
import { ChatGenerationChunk } from "@langchain/core/outputs";

/** LangGraph's handler, as far as we use it. */
interface MessagesHandler {
  readonly handleChatModelStreamEvent: (event: unknown, runId: string) => unknown;
  readonly handleLLMEnd: (output: unknown, runId: string) => unknown;
  readonly handleLLMError: (error: unknown, runId: string) => unknown;
}

/** Callbacks for a graph that is called for the protocol's events. */
export class ProtocolCallbacks extends CallbackManager {
  static of(handlers: readonly BaseCallbackHandler[]): ProtocolCallbacks {
    const callbacks = new ProtocolCallbacks();
    for (const handler of handlers) callbacks.addHandler(handler, true);
    return callbacks;
  }

  override addHandler(handler: BaseCallbackHandler, inherit = true): void {
    super.addHandler(handler, inherit);
    if (isMessagesHandler(handler)) takeTokens(handler);
  }

  /** LangGraph adds its handlers to a copy. */
  override copy(additional: BaseCallbackHandler[] = [], inherit = true): CallbackManager {
    const { handlers, inheritableHandlers, tags, inheritableTags, metadata, inheritableMetadata } =
      super.copy(additional, inherit);
    const rest = { handlers, inheritableHandlers, tags, inheritableTags, metadata, inheritableMetadata };
    return new ProtocolCallbacks(this._parentRunId, rest);
  }
}

function isMessagesHandler(
  handler: BaseCallbackHandler & Partial<Record<keyof MessagesHandler, unknown>>,
): handler is BaseCallbackHandler & MessagesHandler {
  return (
    "lc_prefer_chat_model_stream_events" in handler &&
    typeof handler.handleChatModelStreamEvent === "function" &&
    typeof handler.handleLLMEnd === "function" &&
    typeof handler.handleLLMError === "function"
  );
}

function takeTokens(handler: MessagesHandler): void {
  const calls = new Map<string, ModelCall>();
  const { handleLLMEnd, handleLLMError } = handler;
  const finish = async (runId: string): Promise<void> => {
    const call = calls.get(runId);
    calls.delete(runId);
    await call?.finish();
  };
  Object.assign(handler, {
    lc_prefer_chat_model_stream_events: false,
    lc_prefer_streaming: true,
    handleLLMNewToken: (...[token, , runId, , , fields]: readonly unknown[]): void => {
      const id = String(runId);
      const call = calls.get(id) ?? new ModelCall((event) => handler.handleChatModelStreamEvent(event, id));
      calls.set(id, call);
      call.add(chunkOf(token, fields));
    },
    handleLLMEnd: async (output: unknown, runId: string): Promise<void> => {
      await finish(runId);
      handleLLMEnd.call(handler, output, runId);
    },
    handleLLMError: (error: unknown, runId: string): void => {
      calls.get(runId)?.fail(error); // its message stays unfinished, as the model left it
      calls.delete(runId);
      handleLLMError.call(handler, error, runId);
    },
  });
}

function chunkOf(token: unknown, fields: unknown): ChatGenerationChunk {
  if (typeof fields === "object" && fields !== null && "chunk" in fields) {
    const { chunk } = fields;
    if (chunk instanceof ChatGenerationChunk || isChatChunk(chunk)) return chunk;
  }
  const text = String(token);
  return new ChatGenerationChunk({ text, message: new AIMessageChunk({ content: text }) });
}

/** Of another copy of the library. */
function isChatChunk(chunk: unknown): chunk is ChatGenerationChunk {
  return (
    typeof chunk === "object" &&
    chunk !== null &&
    "message" in chunk &&
    typeof chunk.message === "object" &&
    chunk.message !== null &&
    "content" in chunk.message
  );
}

/** The tokens of one call of a model, on their way to becoming events. */
class ModelCall {
  readonly #waiting: ChatGenerationChunk[] = [];
  readonly #done: Promise<void>;
  #isOver = false;
  #failure: { readonly error: unknown } | undefined;
  #wake = (): void => undefined;

  constructor(tell: (event: unknown) => unknown) {
    this.#done = this.#convert(tell);
    this.#done.catch(() => undefined); // `finish` tells it, if the call comes to an end
  }

  add(chunk: ChatGenerationChunk): void {
    this.#waiting.push(chunk);
    this.#wake();
  }

  /** @throws what a token could not be told for */
  async finish(): Promise<void> {
    this.#isOver = true;
    this.#wake();
    await this.#done;
  }

  fail(error: unknown): void {
    this.#failure = { error };
    this.#wake();
  }

  async #convert(tell: (event: unknown) => unknown): Promise<void> {
    for await (const event of convertChunksToEvents(this.#chunks())) tell(event);
  }

  async *#chunks(): AsyncGenerator<ChatGenerationChunk> {
    for (;;) {
      yield* this.#waiting.splice(0);
      if (this.#waiting.length > 0) continue;
      if (this.#failure !== undefined) throw this.#failure.error;
      if (this.#isOver) return;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}
