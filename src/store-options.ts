/** The option `store` of an app. */

import { z } from "zod";
import type { StoreIndex } from "./core/store-index.ts";

export interface StoreOptions {
  /** Finds items by meaning, with pgvector. Default: not. */
  readonly index?: {
    /** Of the vectors that `embed` makes; 16,000 at most, and up to 4,000 they are found through an index. */
    readonly dims: number;
    /**
     * Gives a vector for each text, in their order, each with `dims` numbers. What it throws, and an answer that is
     * anything else, makes the request fail with 502 `embedding_failed`; nothing is stored then.
     */
    readonly embed: Embeddings | ((texts: string[]) => Promise<number[][]>);
    /** Paths of what is embedded of an item, where it does not say otherwise. Default: `["$"]`, all of it. */
    readonly fields?: readonly string[] | undefined;
  };
  readonly ttl?: {
    /** Minutes that items live, where they do not say otherwise. Default: for ever. */
    readonly default_ttl?: number | undefined;
    /** Whether a read starts an item's time to live anew, where it does not say otherwise. Default: true. */
    readonly refresh_on_read?: boolean | undefined;
  };
}

/** What of LangChain's `Embeddings` is used. */
export interface Embeddings {
  embedDocuments(texts: string[]): Promise<number[][]>;
  embedQuery(text: string): Promise<number[]>;
}

export const isEmbeddings = (value: unknown): value is Embeddings =>
  typeof value === "object" &&
  value !== null &&
  "embedDocuments" in value &&
  typeof value.embedDocuments === "function" &&
  "embedQuery" in value &&
  typeof value.embedQuery === "function";

const Embed = z.custom<NonNullable<StoreOptions["index"]>["embed"]>(
  (value) => typeof value === "function" || isEmbeddings(value),
  "must be LangChain Embeddings, or a function (texts) => Promise<vectors>",
);

const Index = z
  .strictObject({
    dims: z.int().min(1).max(16_000),
    embed: Embed,
    fields: z.array(z.string().min(1)).min(1).default(["$"]),
  })
  .transform(({ embed, ...index }): StoreIndex => {
    if (isEmbeddings(embed))
      return {
        ...index,
        embedTexts: async (texts) => embed.embedDocuments([...texts]),
        embedQuery: async (text) => embed.embedQuery(text),
      };
    return {
      ...index,
      embedTexts: async (texts) => embed([...texts]),
      embedQuery: async (text) => (await embed([text])).at(0),
    };
  });

export const Store = z.strictObject({
  index: Index.optional(),
  ttl: z
    .strictObject({
      default_ttl: z.number().positive().optional(),
      refresh_on_read: z.boolean().default(true),
    })
    .prefault({}),
});
