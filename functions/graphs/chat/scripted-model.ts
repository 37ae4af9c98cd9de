/**
 * A chat model without a network: it follows a short script, so that the example runs, streams and calls tools
 * on any machine. It shows what LangChain asks of a model of your own: `_generate`, `_streamResponseChunks`
 * and `bindTools`.
 */
import type { CallbackManagerForLLMRun } from "@langchain/core/callbacks/manager";
import { BaseChatModel, type BaseChatModelCallOptions } from "@langchain/core/language_models/chat_models";
import type { BaseLanguageModelInput } from "@langchain/core/language_models/base";
import {
  AIMessage,
  AIMessageChunk,
  type BaseMessage,
  HumanMessage,
  ToolMessage,
} from "@langchain/core/messages";
import type { ToolCallChunk } from "@langchain/core/messages/tool";
import { ChatGenerationChunk, type ChatResult } from "@langchain/core/outputs";
import type { Runnable } from "@langchain/core/runnables";
import type { StructuredToolInterface } from "@langchain/core/tools";

const introduction =
  "I am a scripted model: set OPENAI_API_KEY and CHAT_MODEL for a real one. " +
  'Try "My name is Ada", "What is my name?", "Calculate 17 * 23" or "What time is it in Europe/Paris?".';

interface Options extends BaseChatModelCallOptions {
  tools?: StructuredToolInterface[];
}

interface Call {
  readonly name: string;
  readonly args: Record<string, string>;
}

interface Reply {
  readonly text: string;
  readonly call?: Call | undefined;
}

export class ScriptedModel extends BaseChatModel<Options> {
  override _llmType(): string {
    return "scripted";
  }

  override bindTools(
    tools: StructuredToolInterface[],
  ): Runnable<BaseLanguageModelInput, AIMessageChunk, Options> {
    return this.withConfig({ tools });
  }

  override async _generate(messages: BaseMessage[], options: this["ParsedCallOptions"]): Promise<ChatResult> {
    const { text, call } = reply(messages, options.tools ?? []);
    const message = new AIMessage({
      content: text,
      tool_calls: call ? [{ ...call, id: callId(messages) }] : [],
    });
    return { generations: [{ text, message }] };
  }

  /** Word by word; a tool call is one chunk. LangChain joins the chunks into one message. */
  override async *_streamResponseChunks(
    messages: BaseMessage[],
    options: this["ParsedCallOptions"],
    runManager?: CallbackManagerForLLMRun,
  ): AsyncGenerator<ChatGenerationChunk> {
    const { text, call } = reply(messages, options.tools ?? []);
    for (const token of text.match(/\S+\s*/g) ?? []) {
      options.signal?.throwIfAborted();
      const chunk = new ChatGenerationChunk({ text: token, message: new AIMessageChunk({ content: token }) });
      yield chunk;
      await runManager?.handleLLMNewToken(token, undefined, undefined, undefined, undefined, { chunk });
    }
    if (call) {
      const chunk: ToolCallChunk = {
        type: "tool_call_chunk",
        index: 0,
        id: callId(messages),
        name: call.name,
        args: JSON.stringify(call.args),
      };
      const message = new AIMessageChunk({ content: "", tool_call_chunks: [chunk] });
      yield new ChatGenerationChunk({ text: "", message });
    }
  }
}

/** The script: the first line that fits what was said last is the reply. */
function reply(messages: BaseMessage[], tools: StructuredToolInterface[]): Reply {
  const last = messages.at(-1);
  if (ToolMessage.isInstance(last)) {
    const failed = last.status === "error";
    return { text: failed ? `That did not work: ${last.text}` : `The ${last.name} says: ${last.text}` };
  }
  const said = last?.text.slice(0, 500) ?? "";
  if (/what(?:'s|’s| is) my name/i.test(said)) {
    const name = messages.map(nameIn).findLast((found) => found !== undefined);
    return { text: name ? `Your name is ${name}.` : "You have not told me your name." };
  }
  const name = last && nameIn(last);
  if (name) return { text: `Nice to meet you, ${name}. I will remember your name in this thread.` };

  const call = toolCallFor(said);
  return tools.some((tool) => tool.name === call?.name) ? { text: "", call } : { text: introduction };
}

function nameIn(message: BaseMessage): string | undefined {
  if (!HumanMessage.isInstance(message)) return undefined;
  return /\bmy name is\s+([\p{L}'’-]+)/iu.exec(message.text)?.[1];
}

function toolCallFor(said: string): Call | undefined {
  const time = /\btime\b(?:.*\bin\s+([\w/+-]+))?/i.exec(said);
  if (time) return { name: "clock", args: { time_zone: time[1] ?? "UTC" } };

  const sum = /(?:calculate|compute|how much is|what(?:'s|’s| is))\s+(.*\d.*?)[?.!\s]*$/i.exec(said);
  return sum?.[1] ? { name: "calculator", args: { expression: sum[1] } } : undefined;
}

/** Unique in its conversation, and the same each time: a replayed run makes the same call. */
function callId(messages: BaseMessage[]): string {
  return `call_${messages.length}`;
}
