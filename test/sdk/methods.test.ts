/** Each method of the official SDK's client has a test against our server: here is which. */

import { readFile } from "node:fs/promises";
import { Client } from "@langchain/langgraph-sdk";
import { expect, test } from "vitest";

type Noun = "assistants" | "threads" | "runs" | "crons" | "store";

const TESTED: Readonly<Record<Noun, Readonly<Record<string, string>>>> = {
  assistants: {
    ...named(
      "assistants",
      "create",
      "get",
      "update",
      "delete",
      "search",
      "count",
      "getVersions",
      "setLatest",
    ),
    ...named("assistant-graphs", "getGraph", "getSchemas", "getSubgraphs"),
  },
  threads: {
    ...named("threads", "create", "get", "update", "delete", "prune", "search", "count", "copy"),
    ...named("threads", "getState", "updateState", "patchState", "getHistory"),
    ...named("thread-stream", "stream"),
    ...named("threads-join-stream", "joinStream"),
  },
  runs: {
    ...named(
      "runs",
      "create",
      "wait",
      "get",
      "list",
      "join",
      "cancel",
      "cancelMany",
      "createBatch",
      "delete",
    ),
    ...named("runs-stream", "stream", "joinStream"),
  },
  crons: named("crons", "create", "createForThread", "update", "delete", "search", "count"),
  store: named("store", "putItem", "getItem", "deleteItem", "searchItems", "listNamespaces"),
};

function named(file: string, ...methods: readonly string[]): Readonly<Record<string, string>> {
  return Object.fromEntries(methods.map((method) => [method, `${file}.test.ts`]));
}

/** What all of the SDK's clients have, for themselves. */
const OWN = new Set(["constructor", "prepareFetchOptions", "fetch", "streamWithRetry"]);

const nouns: readonly Noun[] = ["assistants", "threads", "runs", "crons", "store"];

test.each(nouns)("every method of client.%s is in the list, and called by its test", async (noun) => {
  const prototype: unknown = Object.getPrototypeOf(new Client({ apiUrl: "http://127.0.0.1" })[noun]);
  const methods = Object.getOwnPropertyNames(prototype).filter((name) => !OWN.has(name));
  expect(Object.keys(TESTED[noun]).toSorted()).toEqual(methods.toSorted());
  for (const [method, file] of Object.entries(TESTED[noun])) {
    const text = await readFile(new URL(file, import.meta.url), "utf8");
    expect([noun, method, text.includes(`${noun}.${method}(`)]).toEqual([noun, method, true]);
  }
});
