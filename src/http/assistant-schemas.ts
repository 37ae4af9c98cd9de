/** What the Platform's assistant endpoints take and answer. Null is as good as absent. */

import { z } from "zod";
import { optional, withDefault } from "./lenient.ts";
import { Config, JsonObject } from "./native-schemas.ts";
import { QueryBoolean } from "./query.ts";

const OF_A_RUN = ["thread_id", "checkpoint_id", "checkpoint_ns", "checkpoint_map"];

/** What belongs to a single run has no place in it. */
const AssistantConfig = Config.refine(
  ({ configurable = {} }) => !OF_A_RUN.some((key) => key in configurable),
  { path: ["configurable"], error: `an assistant cannot have ${OF_A_RUN.join(", ")}: those are a run's` },
);

const Field = z.enum([
  "assistant_id",
  "graph_id",
  "name",
  "description",
  "config",
  "context",
  "created_at",
  "updated_at",
  "metadata",
  "version",
]);
const SortBy = z.enum(["assistant_id", "graph_id", "name", "created_at", "updated_at"]);

const Name = z.string().max(1024);
const Description = z.string().max(10_000);
const Limit = withDefault(z.int().min(1).max(1000), 10);
const Offset = withDefault(z.int().min(0), 0);
const MAX_VERSION = 2_147_483_647;
const Version = z.int().min(1).max(MAX_VERSION);

export const AssistantCreate = z.strictObject({
  assistant_id: optional(z.uuid().toLowerCase()).meta({
    type: "string",
    format: "uuid",
    description: "Made up if absent.",
  }),
  graph_id: z.string(),
  config: withDefault(AssistantConfig, {}),
  context: withDefault(JsonObject, {}),
  metadata: withDefault(JsonObject, {}),
  if_exists: withDefault(z.enum(["raise", "do_nothing"]), "raise"),
  name: withDefault(Name, "Untitled"),
  description: withDefault(Description.nullable(), null),
});

export const AssistantUpdate = z.strictObject({
  graph_id: optional(z.string()),
  config: optional(AssistantConfig),
  context: optional(JsonObject),
  metadata: withDefault(JsonObject, {}).meta({ description: "Laid over what is there, key by key." }),
  name: optional(Name),
  description: optional(Description),
});

const filter = {
  metadata: optional(JsonObject),
  graph_id: optional(z.string()),
  name: optional(z.string()).meta({ description: "Part of the name, in whatever case." }),
};

export const AssistantSearch = z.strictObject({
  ...filter,
  limit: Limit,
  offset: Offset,
  sort_by: withDefault(SortBy, "created_at"),
  sort_order: withDefault(z.enum(["asc", "desc"]), "desc"),
  select: withDefault(z.array(Field).min(1), [...Field.options]),
});

export const AssistantCount = z.strictObject(filter);

export const VersionsPage = z.strictObject({ metadata: optional(JsonObject), limit: Limit, offset: Offset });

export const LatestVersion = z.strictObject({ version: Version });
export const LatestQuery = z.strictObject({
  version: z.coerce.number().int().min(1).max(MAX_VERSION).optional(),
});

export const DeleteQuery = z.strictObject({ delete_threads: QueryBoolean.default(false) });

const Levels = z
  .string()
  .regex(/^\d{1,4}$/, "must be true, false or a number of levels")
  .transform(Number)
  .pipe(z.int().max(1000));

export const GraphQuery = z.strictObject({
  xray: z.union([QueryBoolean, Levels]).default(false),
});

export const SubgraphsQuery = z.strictObject({ recurse: QueryBoolean.default(false) });

const Time = z.iso.datetime();

export const VersionAnswer = z.object({
  assistant_id: z.uuid(),
  graph_id: z.string(),
  version: z.int(),
  name: z.string(),
  description: z.string().nullable(),
  config: JsonObject,
  context: JsonObject,
  metadata: JsonObject,
  created_at: Time,
});

export const AssistantAnswer = VersionAnswer.extend({ updated_at: Time });

export const GraphAnswer = z.object({
  nodes: z.array(z.looseObject({ id: z.union([z.string(), z.int()]) })),
  edges: z.array(
    z.looseObject({
      source: z.union([z.string(), z.int()]),
      target: z.union([z.string(), z.int()]),
      data: z.string().optional(),
      conditional: z.boolean().optional(),
    }),
  ),
});

const schema = JsonObject.optional();

/** JSON Schemas; what the graph does not tell at run time is missing. */
export const SchemasAnswer = z.object({
  graph_id: z.string(),
  input_schema: schema,
  output_schema: schema,
  state_schema: schema,
  config_schema: schema,
  context_schema: schema,
});
