/** Keeps secrets out of what is logged: those of our settings, wherever they stand, and what is named like one. */

import type { LogWriter } from "./core/logger.ts";

const HIDDEN = "[hidden]";
/** As deep as errors and what libraries attach to them are looked through. */
const MAX_DEPTH = 6;
/** And as many objects of one line: what a request hangs on may lead to half of the process. */
const MAX_OBJECTS = 2_000;
/** Shorter ones would hide parts of words. */
const MIN_LENGTH = 8;

const SECRET_NAME = /^(proxy-)?authorization$|cookie|passw|secret|api[-_]?key|functions-key|token$/i;
const KEY_IN_URL = /([?&](?:code|sig|token|api_?key)=)[^&\s"'<>]+/gi;

/** The words of a setting that must not be seen: itself, each of several, and the password in a URL. */
export function secretsIn(value: string): readonly string[] {
  const parts = value.split(/[\s,]+/);
  const keys = [...value.matchAll(/(?:key|password|signature|sig)=([^;&\s]+)/gi)].map(([, key = ""]) => key);
  const passwords = parts.flatMap((part) => {
    const password = URL.canParse(part) ? new URL(part).password : "";
    return [password, decoded(password)];
  });
  return [value, ...parts, ...keys, ...passwords].filter((secret) => secret.length >= MIN_LENGTH);
}

/** A logger that says `[hidden]` in the place of each secret. What holds none is handed on as it is. */
export function hidingSecrets(logger: LogWriter, secrets: readonly string[]): LogWriter {
  const hider = new Hider(secrets);
  return {
    info: (fields, message) => logger.info(hider.fields(fields), hider.text(message)),
    warn: (fields, message) => logger.warn(hider.fields(fields), hider.text(message)),
    error: (fields, message) => logger.error(hider.fields(fields), hider.text(message)),
  };
}

class Hider {
  readonly #pattern: RegExp;
  /** Of the line that is being looked through. */
  #objectsLeft = 0;

  constructor(secrets: readonly string[]) {
    this.#pattern = patternOf(secrets);
  }

  text(text: string): string {
    return text.replaceAll(KEY_IN_URL, `$1${HIDDEN}`).replaceAll(this.#pattern, HIDDEN);
  }

  fields(fields: object): object {
    this.#objectsLeft = MAX_OBJECTS;
    return this.#members(fields, MAX_DEPTH);
  }

  /** The value itself where nothing is to be hidden. */
  #hide(value: unknown, depth: number): unknown {
    if (typeof value === "string") return this.text(value);
    if (typeof value !== "object" || value === null || depth === 0) return value;
    this.#objectsLeft -= 1;
    if (this.#objectsLeft < 0) return HIDDEN;
    if (value instanceof Error) return this.#error(value, depth - 1);
    if (Array.isArray(value)) return this.#items(value, depth - 1);
    return ArrayBuffer.isView(value) ? value : this.#members(value, depth - 1);
  }

  #items(items: readonly unknown[], depth: number): readonly unknown[] {
    const hidden = items.map((item) => this.#hide(item, depth));
    return hidden.every((item, index) => Object.is(item, items[index])) ? items : hidden;
  }

  /** Of an object of any class, as a client's headers are one. */
  #members(object: object, depth: number): object {
    const members: readonly [string, unknown][] = Object.entries(object);
    const hidden = members.map(([name, value]): [string, unknown] => {
      const isSecret = SECRET_NAME.test(name) && typeof value === "string";
      return [name, isSecret ? HIDDEN : this.#hide(value, depth)];
    });
    const isClean = members.every(([, value], index) => Object.is(value, hidden[index]?.[1]));
    return isClean ? object : Object.fromEntries(hidden);
  }

  /** A copy is what loggers take for the error: of any class, with its name, stack and members. */
  #error(error: Error, depth: number): Error {
    const { name, message, stack = "", cause } = error;
    const members: object = Object.fromEntries(Object.entries(error));
    const errors: readonly unknown[] = error instanceof AggregateError ? error.errors : [];
    const hidden = {
      message: this.text(message),
      stack: this.text(stack),
      cause: this.#hide(cause, depth),
      errors: this.#items(errors, depth),
      members: this.#members(members, depth),
    };
    const isClean = hidden.message === message && hidden.stack === stack && Object.is(hidden.cause, cause);
    if (isClean && hidden.errors === errors && hidden.members === members) return error;
    const options = cause === undefined ? {} : { cause: hidden.cause };
    const copy =
      errors.length === 0
        ? new Error(hidden.message, options)
        : new AggregateError(hidden.errors, hidden.message, options);
    return Object.assign(copy, hidden.members, { name, stack: hidden.stack });
  }
}

/** The longest first, as one may be a part of another. Without any, it matches nothing. */
function patternOf(secrets: readonly string[]): RegExp {
  const sorted = [...new Set(secrets)].toSorted((a, b) => b.length - a.length);
  return new RegExp(sorted.length === 0 ? "(?!)" : sorted.map(escaped).join("|"), "g");
}

function escaped(text: string): string {
  return text.replaceAll(/[.*+?^${}()|[\]\\/-]/g, String.raw`\$&`);
}

/** What is no percent-encoding stays as it is. */
export function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
