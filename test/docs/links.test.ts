/** What the documents point to is there: files, and headings in them. */

import { access, readdir } from "node:fs/promises";
import { marked, type Token } from "marked";
import { expect, test } from "vitest";
import { readDocument, ROOT } from "../support/markdown.ts";

const FOLDERS = ["", "docs/", "infra/", "infra/aws/", "infra/azure/", "infra/azure-terraform/"];

const documents = (
  await Promise.all(
    FOLDERS.map(async (folder) => {
      const names = await readdir(new URL(`./${folder}`, ROOT)).catch(() => []);
      return names.filter((name) => name.endsWith(".md")).map((name) => folder + name);
    }),
  )
).flat();

function tokensOf(text: string): Token[] {
  const tokens: Token[] = [];
  void marked.walkTokens(marked.lexer(text), (token) => void tokens.push(token));
  return tokens;
}

/** As GitHub makes them. */
function anchorsOf(tokens: readonly Token[]): ReadonlySet<string> {
  const counts = new Map<string, number>();
  const anchors = tokens.flatMap((token) => {
    if (token.type !== "heading") return [];
    const plain = String(token["text"]).replaceAll(/\[([^\]]*)\]\([^)]*\)/g, "$1");
    const slug = plain
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\p{M} _-]/gu, "")
      .replaceAll(" ", "-");
    const count = counts.get(slug) ?? 0;
    counts.set(slug, count + 1);
    return [count === 0 ? slug : `${slug}-${count}`];
  });
  return new Set(anchors);
}

/** The links of a document within the repository: the file's path from its root, and the heading's anchor. */
function linksOf(document: string, tokens: readonly Token[]): (readonly [link: string, target: URL])[] {
  const base = new URL(document, ROOT);
  return tokens.flatMap((token) => {
    if (token.type !== "link" && token.type !== "image") return [];
    const link = String(token["href"]);
    return /^[a-z]+:/i.test(link) ? [] : [[link, new URL(link, base)] as const];
  });
}

test("there are documents", () => {
  expect(documents).toContain("README.md");
  expect(documents.length).toBeGreaterThan(15);
});

test.for(documents)("%s", async (document) => {
  const tokens = tokensOf(await readDocument(document));
  const dead: string[] = [];
  for (const [link, target] of linksOf(document, tokens)) {
    const file = new URL(target.pathname, target);
    const isThere = await access(file).then(
      () => true,
      () => false,
    );
    const anchor = decodeURIComponent(target.hash.slice(1));
    const path = file.href.slice(ROOT.href.length);
    if (!isThere) dead.push(link);
    else if (anchor !== "" && !anchorsOf(tokensOf(await readDocument(path))).has(anchor)) dead.push(link);
  }
  expect(dead).toEqual([]);
});

test("each document is in the README's list", async () => {
  const links = linksOf("README.md", tokensOf(await readDocument("README.md")));
  const listed = new Set(["README.md", ...links.map(([link]) => link.replace(/#.*/, ""))]);
  expect(documents.filter((name) => !listed.has(name))).toEqual([]);
});
