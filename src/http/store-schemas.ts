/** What the Platform's store endpoints take and answer. Null is as good as absent, but for `ttl`. */

import { z } from "zod";
import { optional, withDefault } from "./lenient.ts";
import { JsonObject } from "./native-schemas.ts";
import { QueryBoolean } from "./query.ts";

const Labels = z.array(z.string()).meta({ description: "Labels, none of them empty or with a period." });
const Key = z.string();
const Refresh = optional(z.boolean()).meta({
  description: "Whether the time to live of what is found starts anew.",
});
const page = (limit: number) => ({
  limit: withDefault(z.int().min(1).max(1000), limit),
  offset: withDefault(z.int().min(0).max(1_000_000), 0),
});

export const ItemPut = z.strictObject({
  namespace: Labels,
  key: Key,
  value: JsonObject,
  index: optional(z.union([z.literal(false), z.array(z.string().min(1).max(256)).max(100)])).meta({
    description: "The paths of what is found by meaning, or false for nothing.",
  }),
  ttl: z.number().positive().max(1e8).nullable().optional().meta({
    description: "Minutes that the item lives; null for ever.",
  }),
});

export const ItemDelete = z.strictObject({ namespace: Labels, key: Key });

/** The namespace as labels joined by periods, or as a parameter for each label. */
export const ItemQuery = z.strictObject({
  namespace: z.union([z.string().transform((text) => text.split(".")), z.array(z.string())], {
    error: "must be labels joined by periods, or a parameter for each",
  }),
  key: Key,
  refresh_ttl: QueryBoolean.optional(),
});

export const ItemSearch = z.strictObject({
  namespace_prefix: withDefault(Labels, []),
  filter: optional(JsonObject).meta({
    description: "What fields equal, or operators: $eq, $ne, $gt, $gte, $lt, $lte, $in, $nin.",
  }),
  query: optional(z.string().max(10_000)).meta({ description: "Finds by meaning." }),
  refresh_ttl: Refresh,
  ...page(10),
});

export const NamespaceList = z.strictObject({
  prefix: withDefault(Labels, []),
  suffix: withDefault(Labels, []),
  max_depth: optional(z.int().min(1).max(100)),
  ...page(100),
});

const Time = z.iso.datetime();

const Item = z.object({
  namespace: z.array(z.string()),
  key: z.string(),
  value: JsonObject,
  created_at: Time,
  updated_at: Time,
});

export const ItemAnswer = Item.nullable();
export const FoundItems = z.object({
  items: z.array(
    Item.extend({ score: z.number().optional().meta({ description: "Of a search with a query." }) }),
  ),
});
export const Namespaces = z.object({ namespaces: z.array(z.array(z.string())) });
