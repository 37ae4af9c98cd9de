/** The repository's own documents, for tests that hold them to what they say. */

import { readFile } from "node:fs/promises";

export const ROOT = new URL("../../", import.meta.url);

/** A document by its path from the repository's root. */
export async function readDocument(path: string): Promise<string> {
  return readFile(new URL(path, ROOT), "utf8");
}

/** The code blocks of a language, also those that are indented below a list item. */
export function codeBlocks(text: string, language: string): string[] {
  const fences = new RegExp(String.raw`^( *)${"```"}${language}\n([\s\S]*?)^\1${"```"}$`, "gm");
  return [...text.matchAll(fences)].map(([, indent = "", code = ""]) =>
    code.replaceAll(new RegExp(`^${indent}`, "gm"), ""),
  );
}
