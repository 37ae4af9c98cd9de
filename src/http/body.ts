/** Reads a request's JSON within limits: bytes before parsing, depth and nodes before anything looks inside. */

import type { z } from "zod";
import { isJsonObject, type JsonObject } from "../core/model.ts";
import { AppError } from "../errors.ts";
import { withoutConstructors } from "./constructors.ts";

export interface BodyLimits {
  readonly maxBodyBytes: number;
  /** Objects and arrays in each other; the outermost counts as 1. */
  readonly maxDepth: number;
  /** Object members and array items, all told. */
  readonly maxNodes: number;
  /** Of the text of one message. */
  readonly maxMessageCharacters: number;
}

/** @throws AppError `request_too_large`, `invalid_json` */
export async function readJson(request: Request, { maxBodyBytes }: BodyLimits): Promise<unknown> {
  const text = await readText(request, maxBodyBytes);
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    throw new AppError("invalid_json", "Invalid JSON body", { cause: error });
  }
}

/** A JSON object, each member within the limits and free of LangChain's constructors. @throws AppError that says what is wrong with it */
export async function readObject(request: Request, limits: BodyLimits): Promise<JsonObject> {
  return checkObject(await readJson(request, limits), limits);
}

/** An object within the limits, with messages as plain JSON. @throws AppError as `readObject` does, but for the reading */
export function checkObject(sent: unknown, limits: BodyLimits): JsonObject {
  if (!isJsonObject(sent)) throw new AppError("invalid_request", "body: expected an object");
  for (const [key, part] of Object.entries(sent)) {
    checkKey(key);
    checkComplexity(part, limits);
  }
  return withoutConstructors(sent);
}

/** What is compressed is not read: how large it becomes is only known when it is. @throws AppError `unsupported_encoding` */
export function checkEncoding({ headers }: Request): void {
  const encoding = headers.get("content-encoding") ?? "identity";
  if (encoding.trim().toLowerCase() === "identity") return;
  throw new AppError(
    "unsupported_encoding",
    `Content-Encoding: ${encoding} is not taken; send the body as it is`,
  );
}

/** @throws AppError `request_too_large`, `invalid_json` */
export async function readText(request: Request, maxBytes: number): Promise<string> {
  const declared = Number(request.headers.get("content-length") ?? 0);
  if (declared > maxBytes) throw tooLarge(declared, maxBytes);
  const decoder = new TextDecoder("utf-8", { fatal: true });
  let bytes = 0;
  let text = "";
  try {
    for await (const chunk of request.body ?? []) {
      bytes += chunk.byteLength;
      if (bytes > maxBytes) throw tooLarge(bytes, maxBytes);
      text += decoder.decode(chunk, { stream: true });
    }
    return text + decoder.decode();
  } catch (error) {
    if (error instanceof AppError) throw error;
    throw new AppError("invalid_json", "The body is not UTF-8 text", { cause: error });
  }
}

function tooLarge(bytes: number, maxBytes: number): AppError {
  return new AppError("request_too_large", `Request body too large: ${bytes} bytes (max ${maxBytes} bytes)`);
}

/** @throws AppError `invalid_request` that names each field and what was expected of it */
export async function parse<Schema extends z.ZodType>(
  schema: Schema,
  value: unknown,
  path: readonly PropertyKey[] = [],
): Promise<z.output<Schema>> {
  const result = await schema.safeParseAsync(value); // a graph's own schema may check asynchronously
  if (result.success) return result.data;
  const issues = result.error.issues
    .slice(0, 10)
    .map((issue) => `${[...path, ...issue.path].join(".") || "body"}: ${issue.message}`);
  throw new AppError("invalid_request", issues.join("; "), { cause: result.error });
}

/**
 * Walks a parsed JSON value without recursion.
 * @throws AppError `input_too_complex`; `invalid_request` for text that Postgres cannot store, and for `__proto__`
 */
export function checkComplexity(value: unknown, { maxDepth, maxNodes }: BodyLimits): void {
  const waiting: { readonly value: unknown; readonly depth: number }[] = [{ value, depth: 1 }];
  let nodes = 0;
  for (let item = waiting.pop(); item !== undefined; item = waiting.pop()) {
    if (typeof item.value === "string") checkText(item.value);
    if (typeof item.value !== "object" || item.value === null) continue;
    if (item.depth > maxDepth)
      throw new AppError("input_too_complex", `Input exceeds maximum nesting depth of ${maxDepth}`);
    for (const [key, child] of Object.entries(item.value)) {
      nodes += 1;
      if (nodes > maxNodes)
        throw new AppError("input_too_complex", `Input exceeds maximum node count of ${maxNodes}`);
      checkKey(key);
      waiting.push({ value: child, depth: item.depth + 1 });
    }
  }
}

/** Who copies an object with a `__proto__`, as LangGraph does when it reads a checkpoint, loses it or makes it the prototype. */
function checkKey(key: string): void {
  if (key === "__proto__") throw new AppError("invalid_request", "The body has a member named __proto__");
  checkText(key);
}

function checkText(text: string): void {
  if (text.includes("\u0000") || !text.isWellFormed()) {
    throw new AppError(
      "invalid_request",
      "The body has a string with a NUL character or half of a surrogate pair",
    );
  }
}

/** Looks at what a command does to a state: its update, and what it sends to nodes. @throws AppError `message_too_large` */
export function checkCommand(command: unknown, path: string, limits: BodyLimits): void {
  if (!isJsonObject(command)) return;
  checkMessages(command["update"], `${path}.update`, limits);
  for (const destination of [command["goto"]].flat())
    if (isJsonObject(destination)) checkMessages(destination["input"], `${path}.goto.input`, limits);
}

/** Looks at `messages` of an input, or of an update, if there are any. @throws AppError `message_too_large` */
export function checkMessages(state: unknown, path: string, { maxMessageCharacters }: BodyLimits): void {
  for (const [index, message] of messagesIn(state).entries()) {
    const characters = textLength(message);
    if (characters > maxMessageCharacters) {
      const detail = `${path}.messages.${index}: ${characters} characters (max ${maxMessageCharacters})`;
      throw new AppError("message_too_large", detail);
    }
  }
}

/** Of a state, or of an update in any form that LangGraph takes: an object, `[field, value]` pairs, or a list of either. */
function messagesIn(state: unknown): readonly unknown[] {
  if (Array.isArray(state)) return state[0] === "messages" ? [state[1]].flat() : state.flatMap(messagesIn);
  return isJsonObject(state) ? [state["messages"]].flat() : [];
}

/** The text of a message in any form that LangChain takes: a string, `{ content }`, `[role, content]`, or content parts. */
function textLength(message: unknown): number {
  if (typeof message === "string") return message.length;
  if (Array.isArray(message)) return message.reduce<number>((sum, part) => sum + textLength(part), 0);
  if (typeof message !== "object" || message === null) return 0;
  if ("content" in message) return textLength(message.content);
  return "text" in message ? textLength(message.text) : 0;
}
