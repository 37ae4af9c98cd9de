/** Where a value comes from, as langgraph.json says it: `./src/agent.ts:graph`. */

import { resolve } from "node:path";
import { z } from "zod";

export interface Reference {
  /** Absolute. */
  readonly file: string;
  /** As the project writes it. */
  readonly shown: string;
  readonly name: string;
}

export const isReference = z.string().regex(/^.+:[^:/\\]+$/, 'must be like "./src/agent.ts:graph"');

/** @throws Error for a file of another language */
export function toReference(folder: string, text: string): Reference {
  const colon = text.lastIndexOf(":");
  const shown = text.slice(0, colon);
  if (shown.endsWith(".py")) throw new Error(`${shown}: code in Python cannot be served here.`);
  return { file: resolve(folder, shown), shown, name: text.slice(colon + 1) };
}
