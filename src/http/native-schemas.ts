/** What the native API takes and answers: the schemas that validate are those that the OpenAPI document shows. */

import { z } from "zod";
import type { Graph } from "../core/graphs.ts";
import { eventsDocs } from "./event-docs.ts";
import type { RouteDocs } from "./router.ts";

export const JsonObject = z.record(z.string(), z.unknown());
const ReservedKey = /^(__pregel_|langgraph_auth_)/;

const Configurable = z
  .looseObject({
    thread_id: z.unknown().meta({
      type: "string",
      description: "Makes the run part of a conversation: 1 to 256 printable ASCII characters.",
    }),
    checkpoint_id: z
      .string()
      .max(256)
      .optional()
      .meta({ description: "Goes on from this checkpoint instead of the newest." }),
    checkpoint_ns: z.string().max(1024).optional(),
  })
  .partial()
  .refine(
    (value) => !Object.keys(value).some((key) => ReservedKey.test(key)),
    "has a key that only the server may set",
  );

export const Config = z.strictObject({
  configurable: Configurable.optional(),
  metadata: JsonObject.optional(),
  tags: z.array(z.string()).optional(),
  recursion_limit: z
    .int()
    .min(1)
    .max(10_000)
    .optional()
    .meta({ description: "Supersteps at most; 25 if absent." }),
  max_concurrency: z.int().min(1).max(1_000).optional(),
  run_name: z.string().optional(),
});

const CommandBody = z
  .strictObject({
    resume: z
      .unknown()
      .optional()
      .meta({ description: "The answer to the interrupt that the thread waits at." }),
    update: JsonObject.optional().meta({ description: "Changes to the state." }),
    goto: z
      .union([z.string(), z.array(z.string())])
      .optional()
      .meta({ description: "The node or nodes to go to." }),
  })
  .refine((command) => Object.keys(command).length > 0, "needs resume, update or goto");

/** The request's schema; the input is checked by the graph's own, once it is known that there is one. */
export const InvokeBody = z.strictObject({
  input: JsonObject.optional().meta({ description: "Required, unless a command is given." }),
  command: CommandBody.nullish().meta({
    description: "Instead of an input: answers an interrupt, or edits the state.",
  }),
  config: Config.nullish(),
  metadata: JsonObject.nullish().meta({ description: "Kept with the run and its checkpoints." }),
});

/** `messages` are pairs of a token and its metadata here, as LangGraph has them. */
export const NATIVE_STREAM_MODES = ["values", "updates", "messages", "custom"] as const;

export const StreamBody = InvokeBody.extend({ stream_mode: z.enum(NATIVE_STREAM_MODES).default("values") });

const Interrupted = z.looseObject({
  __interrupt__: z.array(z.looseObject({ id: z.string().optional(), value: z.unknown() })),
});

const InvokeAnswer = ({ outputSchema }: Graph) =>
  z.object({ output: outputSchema === undefined ? JsonObject : z.union([outputSchema, Interrupted]) });

const StateAnswer = z.object({
  values: JsonObject,
  next: z.array(z.string()),
  metadata: JsonObject.nullable(),
  config: JsonObject,
  created_at: z.iso.datetime().nullable(),
  parent_config: JsonObject.nullable(),
});

export const RUN_ERRORS = {
  400: "The body is not JSON or over a limit, or the thread id is not valid",
  401: "A function key is missing, or the caller has not signed in",
  403: "The function key does not open this graph, or the caller may not do it",
  404: "There is such a thread, but not for the caller",
  409: "Another run is using the thread",
  413: "A message is over its limit",
  422: "A field is not what was expected",
  429: "Too many requests; see Retry-After",
  500: "The graph failed",
  503: "The database cannot be reached",
} as const;

/** For the documentation: with the graph's own schema of its input. */
export function documented(body: typeof InvokeBody, { inputSchema }: Graph): z.ZodType {
  return inputSchema === undefined ? body : body.extend({ input: inputSchema.optional() });
}

export function invokeDocs(graph: Graph): RouteDocs {
  return {
    operationId: `graph_${graph.name}_invoke`,
    summary: `Invoke graph '${graph.name}'`,
    tag: graph.name,
    headers: ["Idempotency-Key"],
    body: documented(InvokeBody, graph),
    responses: {
      200: {
        description:
          "The graph's full output state. At an interrupt, `__interrupt__` says what it waits for.",
        schema: InvokeAnswer(graph),
        headers: ["Idempotent-Replayed"],
      },
      ...RUN_ERRORS,
      503: "The run goes on in the background, as the time is up, or the database cannot be reached",
    },
  };
}

export function streamDocs(graph: Graph): RouteDocs {
  return {
    operationId: `graph_${graph.name}_stream`,
    summary: `Stream graph '${graph.name}'`,
    tag: graph.name,
    headers: ["Idempotency-Key"],
    body: documented(StreamBody, graph),
    responses: {
      200: eventsDocs(
        "Server-Sent Events: `data` with a JSON object for each chunk (a chunk that is not an object comes as `{ data: chunk }`), `error` with `{ error }` for a failure or a run that goes on in the background, and always a last `end` with `{}`.",
      ),
      ...RUN_ERRORS,
      501: "The graph is registered as invoke-only",
    },
  };
}

export function stateDocs(graph: Graph): RouteDocs {
  return {
    operationId: `graph_${graph.name}_state`,
    summary: `Get thread state for '${graph.name}'`,
    tag: graph.name,
    responses: {
      200: { description: "The newest state of the thread", schema: StateAnswer },
      400: RUN_ERRORS[400],
      401: RUN_ERRORS[401],
      403: RUN_ERRORS[403],
      404: "The thread has no state of this graph, or the graph keeps none",
      429: RUN_ERRORS[429],
      500: "The state could not be read",
      503: RUN_ERRORS[503],
    },
  };
}
