/** The stream mode `messages`: each message as it grows, and whole once the state has it. */

import type { WireEvent } from "./stream.ts";

/** What LangChain's chunks can do: two of them make the beginning of a message. */
interface MessageChunk {
  readonly id?: string;
  readonly concat: (next: MessageChunk) => MessageChunk;
}

export class MessageAssembly {
  readonly #growing = new Map<string, MessageChunk>();
  readonly #complete = new Set<unknown>();

  /** A model's token, with the metadata of the call that it comes from; what nodes answer with is left to the state. */
  *grow(chunk: unknown): Generator<WireEvent> {
    const pair: readonly unknown[] = Array.isArray(chunk) ? chunk : [];
    const [message, metadata] = pair;
    if (!isChunk(message) || message.id === undefined || !isOfModel(metadata)) return;
    const begun = this.#growing.get(message.id);
    const grown = begun === undefined ? message : begun.concat(message);
    this.#growing.set(message.id, grown);
    if (begun === undefined) yield { event: "messages/metadata", data: { [message.id]: { metadata } } };
    yield { event: "messages/partial", data: [grown] };
  }

  /** The messages that the state has and had not before. */
  *complete(state: unknown): Generator<WireEvent> {
    if (typeof state !== "object" || state === null || !("messages" in state)) return;
    const fresh = [state.messages].flat().filter((message) => {
      const id = messageId(message);
      if (id === undefined || this.#complete.has(id)) return false;
      this.#complete.add(id);
      this.#growing.delete(id);
      return true;
    });
    if (fresh.length > 0) yield { event: "messages/complete", data: fresh };
  }
}

function messageId(message: unknown): string | undefined {
  if (typeof message !== "object" || message === null || !("id" in message)) return undefined;
  return typeof message.id === "string" ? message.id : undefined;
}

/** LangChain puts into the metadata of each call which kind of model it is. */
function isOfModel(metadata: unknown): boolean {
  return typeof metadata === "object" && metadata !== null && "ls_model_type" in metadata;
}

function isChunk(value: unknown): value is MessageChunk {
  return (
    typeof value === "object" && value !== null && "concat" in value && typeof value.concat === "function"
  );
}
