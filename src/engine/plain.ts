/** Turns what graphs emit into plain JSON values: messages flat, nothing in LangChain's constructor format. */

interface MessageLike {
  readonly getType: () => string;
  readonly toDict: () => { readonly type: string; readonly data: Readonly<Record<string, unknown>> };
}

/** A deep copy of `value` as JSON would carry it. Non-finite numbers become null, bigints strings. @throws TypeError for a cycle. */
export function toPlain(value: unknown): unknown {
  const text = JSON.stringify(value, replace);
  return text === undefined ? null : JSON.parse(text);
}

/** `JSON.stringify` has called `toJSON` before its replacer sees a value; the original is still in the holder. */
function replace(this: unknown, key: string, value: unknown): unknown {
  const original: unknown = isObject(this) ? this[key] : value;
  if (isMessage(original)) return flatMessage(original);
  if (typeof original === "bigint") return original.toString();
  if (!isObject(original)) return value;
  if (original instanceof Map) return Object.fromEntries(original);
  if (original instanceof Set) return [...original];
  if (original instanceof Error) return { name: original.name, message: original.message };
  return isSerializable(original) ? ownFields(original) : value;
}

/** The Platform's form: the message's fields with its type among them, at one level. */
function flatMessage(message: MessageLike): unknown {
  const { type, data } = message.toDict();
  return { ...data, type };
}

function ownFields(object: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(object).filter(([name]) => !name.startsWith("lc_")));
}

function isMessage(value: unknown): value is MessageLike {
  return isObject(value) && typeof value["toDict"] === "function" && typeof value["getType"] === "function";
}

/** Documents, prompts and the like: classes that LangChain would write as `{ lc: 1, type: "constructor" }`. */
function isSerializable(value: Record<string, unknown>): boolean {
  return "lc_serializable" in value && typeof value["toJSON"] === "function";
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}
