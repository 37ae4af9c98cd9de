/** The things that requests have made, by which later ones call them. */

import { isJsonObject } from "../../src/core/model.ts";

const KINDS = ["thread", "run", "assistant", "cron", "checkpoint"] as const;
export type Kind = (typeof KINDS)[number];

/** More of them, and hardly any would be met again. */
const MAX_THINGS = 12;
const MARK = /^<(thread|run|assistant|cron|checkpoint) (\d+)>$/;

/** Stands for one of the things that there will be when the request is sent. */
export function thing(kind: Kind, index: number): string {
  return `<${kind} ${index}>`;
}

export class Things {
  readonly #ids = new Map<string, string[]>();

  /** What an answer tells of. */
  learn(answer: unknown): void {
    for (const item of Array.isArray(answer) ? answer.slice(0, 3) : [answer]) {
      if (!isJsonObject(item)) continue;
      for (const kind of KINDS) this.#add(kind, item[`${kind}_id`]);
      if (isJsonObject(item["checkpoint"])) this.#add("checkpoint", item["checkpoint"]["checkpoint_id"]);
    }
  }

  #add(kind: Kind, id: unknown): void {
    if (typeof id !== "string") return;
    const known = this.#ids.get(kind) ?? [];
    if (known.includes(id)) return;
    this.#ids.set(kind, [...known, id].slice(-MAX_THINGS));
  }

  /** The same value with the ids of things. */
  resolve(value: unknown): unknown {
    if (typeof value === "string") return this.name(value);
    if (Array.isArray(value)) return value.map((item) => this.resolve(item));
    if (!isJsonObject(value)) return value;
    return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, this.resolve(member)]));
  }

  name(text: string): string {
    const [, kind = "", index = ""] = MARK.exec(text) ?? [];
    const ids = this.#ids.get(kind) ?? [];
    return ids[Number(index) % ids.length] ?? (kind === "" ? text : "00000000-0000-4000-8000-000000000000");
  }
}
