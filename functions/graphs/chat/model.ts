/** Chooses the model: any that speaks the OpenAI protocol when the environment names one, the scripted one otherwise. */
import type { BaseLanguageModelInput } from "@langchain/core/language_models/base";
import type { AIMessageChunk } from "@langchain/core/messages";
import type { Runnable } from "@langchain/core/runnables";
import type { StructuredToolInterface } from "@langchain/core/tools";

export type ChatModel = Runnable<BaseLanguageModelInput, AIMessageChunk>;

/** Imports only the model that is used: a provider's SDK is the larger part of a cold start. */
export async function chatModel(tools: StructuredToolInterface[]): Promise<ChatModel> {
  const { OPENAI_API_KEY: apiKey, OPENAI_BASE_URL: baseURL, CHAT_MODEL: model } = process.env;
  if (apiKey && model) {
    const { ChatOpenAI } = await import("@langchain/openai");
    return new ChatOpenAI({ apiKey, model, ...(baseURL && { configuration: { baseURL } }) }).bindTools(tools);
  }
  const { ScriptedModel } = await import("./scripted-model.ts");
  return new ScriptedModel({}).bindTools(tools);
}
