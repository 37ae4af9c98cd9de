/**
 * A graph's schemas as JSON Schema, from what it holds at run time: zod (3 and 4) and `StateSchema` state tell
 * everything; of an `Annotation`, types are gone, and only the names of its channels are left, and which one has messages.
 */

import { z } from "zod";
import type { GraphSchemas } from "../core/graph-inspector.ts";
import type { Graph } from "../core/graphs.ts";
import { isJsonObject, type JsonObject } from "../core/model.ts";

/** Of LangGraph's own registry of what has been said about the channels of a zod state. */
interface ChannelRegistry {
  getExtendedChannelSchemas(schema: object, effects: Readonly<Record<string, boolean>>): object;
}

/** LangGraph's `StateSchema`. */
interface StateSchemaLike {
  getJsonSchema(): JsonObject;
  getInputJsonSchema(): JsonObject;
}

/** Where something flows: into the graph, or out of it. */
type Flow = "in" | "out";

const EXTRAS = "withJsonSchemaExtrasAsDescription";
const EFFECTS: Readonly<Record<Flow, Readonly<Record<string, boolean>>>> = {
  in: { [EXTRAS]: true, withReducerSchema: true, asPartial: true },
  out: { [EXTRAS]: true },
};

/** Schemas that the graph was registered with go before its own. */
export async function schemasOf(
  graph: unknown,
  { inputSchema, outputSchema }: Pick<Graph, "inputSchema" | "outputSchema"> = {},
): Promise<GraphSchemas> {
  const builder = objectIn(graph, "builder") ?? {};
  const state = definitionOf(builder, "schema");
  const config = await jsonSchema(objectIn(builder, "_configRuntimeSchema"), builder, "out");
  return {
    input_schema:
      inputSchema === undefined
        ? await jsonSchema(definitionOf(builder, "input"), builder, "in")
        : registered(inputSchema, "input"),
    output_schema:
      outputSchema === undefined
        ? await jsonSchema(definitionOf(builder, "output"), builder, "out")
        : registered(outputSchema, "output"),
    // Of a zod state, the official server shows what updates look like.
    state_schema: await jsonSchema(state, builder, isStateSchema(state) ? "out" : "in"),
    // In LangGraph.js, context is what used to be the config's `configurable`.
    config_schema: config,
    context_schema: config,
  };
}

/**
 * The zod object or StateSchema where the graph has one, else its channels. The input and output of a graph that does
 * not name them are its state's.
 */
function definitionOf(builder: object, side: "schema" | "input" | "output"): object | undefined {
  const stateChannels = objectIn(builder, "_schemaDefinition");
  const stateSchema = objectIn(builder, "_schemaRuntimeDefinition");
  const channels = objectIn(builder, `_${side}Definition`);
  const schema = objectIn(builder, `_${side}RuntimeDefinition`);
  if (schema !== undefined && schema !== stateSchema) return schema;
  return sameKeys(channels, stateChannels) ? (stateSchema ?? channels) : channels;
}

function sameKeys(one: object | undefined, other: object | undefined): boolean {
  return (
    Object.keys(one ?? {})
      .sort()
      .join() ===
    Object.keys(other ?? {})
      .sort()
      .join()
  );
}

async function jsonSchema(
  definition: object | undefined,
  builder: object,
  flow: Flow,
): Promise<JsonObject | undefined> {
  if (definition === undefined) return undefined;
  if (isStateSchema(definition))
    return flow === "in" ? definition.getInputJsonSchema() : definition.getJsonSchema();
  if (!isZodObject(definition)) return channelSchema(definition);
  const { toJsonSchema } = await import("@langchain/core/utils/json_schema");
  const registry = objectIn(builder, "_metaRegistry");
  const extended = isChannelRegistry(registry)
    ? registry.getExtendedChannelSchemas(definition, EFFECTS[flow])
    : definition;
  // What JSON Schema has no words for, such as a custom type, is described as anything.
  const schema = withExtras(toJsonSchema(extended, { unrepresentable: "any" }));
  return isJsonObject(schema) ? schema : undefined;
}

const EXTRAS_PREFIX = "lg:";

/** The registry hands extras over in descriptions, as JSON. */
function withExtras(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(withExtras);
  if (!isJsonObject(schema)) return schema;
  const { description, ...rest } = schema;
  const plain = Object.fromEntries(Object.entries(rest).map(([key, value]) => [key, withExtras(value)]));
  if (description === undefined) return plain;
  if (typeof description !== "string") return { ...plain, description: withExtras(description) };
  if (!description.startsWith(EXTRAS_PREFIX)) return { ...plain, description };
  const extras: unknown = JSON.parse(description.slice(EXTRAS_PREFIX.length));
  return { ...plain, ...(isJsonObject(extras) ? extras : {}) };
}

const DRAFT = "http://json-schema.org/draft-07/schema#";

/** Of channels without schemas, anything may be in each. */
function channelSchema(channels: object): JsonObject {
  const properties = Object.entries(channels).map(([name, channel]: [string, unknown]) => {
    return [name, hasMessages(channel) ? { langgraph_type: "messages" } : {}] as const;
  });
  return { $schema: DRAFT, type: "object", properties: Object.fromEntries(properties) };
}

/** By the name of its reducer, as it may come from another copy of the library. */
function hasMessages(channel: unknown): boolean {
  return (
    typeof channel === "object" &&
    channel !== null &&
    "operator" in channel &&
    typeof channel.operator === "function" &&
    channel.operator.name === "messagesStateReducer"
  );
}

function registered(schema: z.ZodType, io: "input" | "output"): JsonObject {
  return z.toJSONSchema(schema, { io, unrepresentable: "any" });
}

function objectIn(value: unknown, key: string): object | undefined {
  if (typeof value !== "object" || value === null || !(key in value)) return undefined;
  const found: unknown = Reflect.get(value, key);
  return typeof found === "object" && found !== null ? found : undefined;
}

function isStateSchema(value: unknown): value is StateSchemaLike {
  return (
    typeof value === "object" &&
    value !== null &&
    "getJsonSchema" in value &&
    typeof value.getJsonSchema === "function" &&
    "getInputJsonSchema" in value &&
    typeof value.getInputJsonSchema === "function"
  );
}

function isZodObject(value: object): boolean {
  return "_def" in value || "_zod" in value;
}

function isChannelRegistry(value: unknown): value is ChannelRegistry {
  return (
    typeof value === "object" &&
    value !== null &&
    "getExtendedChannelSchemas" in value &&
    typeof value.getExtendedChannelSchemas === "function"
  );
}
