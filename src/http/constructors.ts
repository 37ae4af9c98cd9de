/**
 * LangChain's own JSON format (`{ lc: 1, type: "constructor", … }`) makes objects of any class when a checkpoint is read
 * back. Clients send it too, as that is how a message object becomes JSON: messages are taken for what they say,
 * anything else is refused.
 */

import { AppError } from "../errors.ts";

const MESSAGE_TYPES: ReadonlyMap<unknown, string> = new Map([
  ["HumanMessage", "human"],
  ["AIMessage", "ai"],
  ["AIMessageChunk", "ai"],
  ["SystemMessage", "system"],
  ["ToolMessage", "tool"],
  ["FunctionMessage", "function"],
  ["RemoveMessage", "remove"],
]);

/** A copy in which messages are plain objects. @throws AppError `invalid_request` that names where something else stands */
export function withoutConstructors(
  body: Readonly<Record<string, unknown>>,
): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.entries(body).map(([key, value]) => [key, plain(value, key)]));
}

/** The body's depth has been checked before. */
function plain(value: unknown, path: string): unknown {
  if (Array.isArray(value)) return value.map((item, index) => plain(item, `${path}.${index}`));
  if (typeof value !== "object" || value === null) return value;
  if ("lc" in value) return plainMessage(value, path);
  return Object.fromEntries(
    Object.entries(value).map(([key, member]) => [key, plain(member, `${path}.${key}`)]),
  );
}

function plainMessage(value: object, path: string): unknown {
  const { type, id, kwargs }: Record<string, unknown> = { ...value };
  const messageType = type === "constructor" && Array.isArray(id) ? MESSAGE_TYPES.get(id.at(-1)) : undefined;
  if (messageType === undefined || typeof kwargs !== "object" || kwargs === null || "lc" in kwargs) {
    throw new AppError(
      "invalid_request",
      `${path}: objects in LangChain's own format are not taken, except messages; send plain JSON`,
    );
  }
  const fields = plain(kwargs, `${path}.kwargs`);
  return { ...(typeof fields === "object" ? fields : {}), type: messageType };
}
