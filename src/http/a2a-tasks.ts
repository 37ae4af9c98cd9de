/** Between A2A's messages and tasks and a graph's: parts become an input, an output becomes artifacts and history. */

import { isJsonObject, type JsonObject } from "../core/model.ts";
import { taskIdOf, taskStateOf, type TaskRun } from "../core/tasks.ts";
import { RpcError, type SentMessage } from "./a2a-schemas.ts";

export type Part =
  { readonly kind: "text"; readonly text: string } | { readonly kind: "data"; readonly data: JsonObject };

export interface TaskStatus {
  readonly state: string;
  readonly timestamp: string;
  readonly message?: JsonObject;
}

export interface Task {
  readonly kind: "task";
  readonly id: string;
  readonly contextId: string;
  readonly status: TaskStatus;
  readonly artifacts?: readonly { readonly artifactId: string; readonly parts: readonly Part[] }[];
  readonly history?: readonly JsonObject[];
}

/** The message's texts as one of the user's, and its data as the members of the input. */
export function inputOf({ parts, messageId }: SentMessage): JsonObject {
  const { text, data } = contentOf(parts);
  return {
    ...data,
    ...(text === undefined ? {} : { messages: [{ role: "user", content: text, id: messageId }] }),
  };
}

/** What answers an interrupt: data if there is any, else text. */
export function answerOf({ parts }: SentMessage): unknown {
  const { text, data } = contentOf(parts);
  return data ?? text;
}

function contentOf(parts: SentMessage["parts"]): { readonly text?: string; readonly data?: JsonObject } {
  const texts: string[] = [];
  const data: JsonObject[] = [];
  for (const part of parts) {
    if (part.kind === "file")
      throw new RpcError("contentType", "parts: files are not supported, but text and data are");
    if (part.kind === "text") texts.push(part.text);
    else data.push(part.data);
  }
  return {
    ...(texts.length === 0 ? {} : { text: texts.join("\n") }),
    ...(data.length === 0 ? {} : { data: Object.fromEntries(data.flatMap((one) => Object.entries(one))) }),
  };
}

/** As its record has it. @param historyLength the newest so many messages; all if absent */
export function taskOf(task: TaskRun, historyLength?: number | null): Task {
  const { run } = task;
  const state = taskStateOf(task);
  const id = taskIdOf(run);
  const contextId = run.thread_id;
  const messages = messagesIn(run.output);
  const history = messages.flatMap((message) => historyItem(message, contextId));
  const said = statusParts(task);
  const message = {
    kind: "message",
    role: "agent",
    messageId: `${run.run_id}-status`,
    taskId: id,
    contextId,
  };
  return {
    kind: "task",
    id,
    contextId,
    status: {
      state,
      timestamp: run.updated_at.toISOString(),
      ...(said.length === 0 ? {} : { message: { ...message, parts: said } }),
    },
    ...(state === "completed"
      ? { artifacts: [{ artifactId: artifactId(id), parts: artifactParts(run.output) }] }
      : {}),
    history:
      historyLength == null
        ? history
        : history.slice(history.length - Math.min(historyLength, history.length)),
  };
}

export function artifactId(taskId: string): string {
  return `${taskId}-answer`;
}

/** What it waits for, or why it failed. */
function statusParts(task: TaskRun): readonly Part[] {
  switch (taskStateOf(task)) {
    case "input-required":
      return task.interrupts.map((interrupt) =>
        partOf(isJsonObject(interrupt) ? interrupt["value"] : interrupt),
      );
    case "failed":
      return [{ kind: "text", text: task.run.error ?? "The run failed" }];
    case "submitted":
    case "working":
    case "completed":
    case "canceled":
      return [];
  }
}

/** The last word of a conversation; the whole state of a graph that holds none. */
function artifactParts(output: unknown): readonly Part[] {
  const last = messagesIn(output).at(-1);
  if (last !== undefined && last["type"] === "ai")
    return [{ kind: "text", text: messageText(last["content"]) }];
  return [partOf(output)];
}

function partOf(value: unknown): Part {
  if (typeof value === "string") return { kind: "text", text: value };
  return { kind: "data", data: isJsonObject(value) ? value : { result: value } };
}

function messagesIn(output: unknown): readonly JsonObject[] {
  const messages = isJsonObject(output) ? output["messages"] : undefined;
  return Array.isArray(messages) ? messages.filter(isJsonObject) : [];
}

const ROLES = new Map([
  ["human", "user"],
  ["ai", "agent"],
]);

/** Of what was said; calls of tools and their results are the agent's own. */
function historyItem({ type, content, id }: JsonObject, contextId: string): readonly JsonObject[] {
  const role = ROLES.get(String(type));
  const text = messageText(content);
  if (role === undefined || text === "" || typeof id !== "string") return [];
  return [{ kind: "message", role, messageId: id, contextId, parts: [{ kind: "text", text }] }];
}

/** The text of a message's content, which may be in parts. */
export function messageText(content: unknown): string {
  if (typeof content === "string") return content;
  const parts: readonly unknown[] = Array.isArray(content) ? content : [];
  return parts
    .map((part) => (isJsonObject(part) && typeof part["text"] === "string" ? part["text"] : ""))
    .join("");
}
