/** What of an item is found by meaning: its texts, and their embeddings. */

import { AppError } from "../errors.ts";
import type { JsonObject } from "./model.ts";

/** How texts become vectors. */
export interface StoreIndex {
  /** Of each vector. */
  readonly dims: number;
  /** The paths of what is embedded of an item that does not say otherwise. */
  readonly fields: readonly string[];
  readonly embedTexts: (texts: readonly string[]) => Promise<unknown>;
  readonly embedQuery: (text: string) => Promise<unknown>;
}

export interface ItemVector {
  readonly path: string;
  readonly vector: readonly number[];
}

/** The vectors of each write, by one call of the embedding function. @throws AppError `embedding_failed` */
export async function embedWrites(
  index: StoreIndex | undefined,
  writes: readonly {
    readonly value: JsonObject | null;
    readonly index?: false | readonly string[] | null | undefined;
  }[],
): Promise<readonly (readonly ItemVector[])[]> {
  if (index === undefined) return [];
  const found = writes.map(({ value, index: fields }) =>
    value === null || fields === false ? [] : textsOf(value, fields ?? index.fields),
  );
  const texts = [...new Set(found.flat().map(({ text }) => text))];
  if (texts.length === 0) return [];
  const answer = await ask(async () => index.embedTexts(texts));
  if (!Array.isArray(answer) || answer.length !== texts.length)
    throw failed(`it gave no list of ${texts.length} vectors`);
  const vectors = new Map(texts.map((text, position) => [text, vectorOf(answer[position], index)]));
  return found.map((ofItem) =>
    ofItem.flatMap(({ path, text }) => {
      const vector = vectors.get(text);
      return vector === undefined ? [] : [{ path, vector }];
    }),
  );
}

/** @throws AppError `embedding_failed`; `invalid_request` where there is no embedding function */
export async function embedQuery(index: StoreIndex | undefined, query: string): Promise<readonly number[]> {
  if (index === undefined) {
    throw new AppError(
      "invalid_request",
      "query: this store has no embedding function, so nothing is found by meaning; see the option store.index",
    );
  }
  return vectorOf(await ask(async () => index.embedQuery(query)), index);
}

async function ask(embed: () => Promise<unknown>): Promise<unknown> {
  return embed().catch((error: unknown) => {
    throw new AppError("embedding_failed", "The embedding function failed", { cause: error });
  });
}

function vectorOf(answer: unknown, { dims }: StoreIndex): readonly number[] {
  const numbers = Array.isArray(answer) ? answer.filter((part): part is number => Number.isFinite(part)) : [];
  if (numbers.length !== dims || !Array.isArray(answer) || answer.length !== dims)
    throw failed(`it gave no vector of ${dims} numbers, which store.index.dims says`);
  return numbers;
}

function failed(reason: string): AppError {
  return new AppError("embedding_failed", "The embedding function failed", { cause: new Error(reason) });
}

interface FoundText {
  readonly path: string;
  readonly text: string;
}

/** The texts at the paths; one of several at the same path has its number after it. */
function textsOf(value: JsonObject, paths: readonly string[]): readonly FoundText[] {
  return [...new Set(paths)].flatMap((path) => {
    const texts = textsAt(value, path).filter((text) => text.trim() !== "");
    return texts.map((text, position) => ({ path: texts.length === 1 ? path : `${path}.${position}`, text }));
  });
}

/**
 * Text at a path as LangGraph writes it: `$` for all, `a.b`, `list[0]`, `list[-1]`, `list[*].text`, `*` for each member,
 * `{a,b.c}` for several. Numbers and booleans become text, objects and lists become JSON.
 * @see https://langchain-ai.github.io/langgraphjs/reference/interfaces/checkpoint.IndexConfig.html
 */
export function textsAt(value: unknown, path: string): readonly string[] {
  return at(value, path === "$" ? [] : stepsOf(path)).flatMap((found) => {
    if (found === null || found === undefined) return [];
    return [typeof found === "string" ? found : JSON.stringify(found)];
  });
}

function stepsOf(path: string): readonly string[] {
  return path.match(/\{[^}]*\}|\[[^\]]*\]|[^.[{]+/g) ?? [];
}

function at(value: unknown, [step, ...rest]: readonly string[]): readonly unknown[] {
  if (step === undefined) return [value];
  if (typeof value !== "object" || value === null) return [];
  if (step.startsWith("{")) {
    const choices = step.slice(1, -1).split(",");
    return choices.flatMap((choice) => at(value, [...stepsOf(choice.trim()), ...rest]));
  }
  if (step === "*") return Object.values(value).flatMap((member) => at(member, rest));
  if (!step.startsWith("[")) return Object.hasOwn(value, step) ? at(Reflect.get(value, step), rest) : [];
  if (!Array.isArray(value)) return [];
  if (step === "[*]") return value.flatMap((item) => at(item, rest));
  const position = Number(step.slice(1, -1));
  return Number.isInteger(position) ? at(value.at(position), rest) : [];
}
