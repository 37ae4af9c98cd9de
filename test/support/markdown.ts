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

/** The rows of all tables of a document, by what their first cell says. */
export function tableRows(text: string): ReadonlyMap<string, readonly string[]> {
  const rows = text.split("\n").filter((line) => line.startsWith("|"));
  return new Map(
    rows.map((line) => {
      const cells = line
        .split(/(?<!\\)\|/)
        .slice(1, -1)
        .map((cell) => cell.trim());
      return [cells[0] ?? "", cells];
    }),
  );
}
