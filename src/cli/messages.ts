/** What the serving process tells `dev`. */

import { z } from "zod";

const ServerMessage = z.discriminatedUnion("kind", [
  z.object({
    kind: z.literal("serving"),
    url: z.string(),
    database: z.string(),
    keyVariable: z.string().optional(),
    warning: z.string().optional(),
    graphs: z.array(z.object({ name: z.string(), description: z.string().optional() })),
  }),
  z.object({ kind: z.literal("graph"), graph: z.string(), message: z.string() }),
  /** Every graph's file has been loaded, or told to be none that can be. */
  z.object({ kind: z.literal("checked") }),
  z.object({
    kind: z.literal("failed"),
    message: z.string(),
    stack: z.string().optional(),
    /** By a change of the project's files. */
    isMendable: z.boolean(),
  }),
]);

export type ServerMessage = Readonly<z.output<typeof ServerMessage>>;

export function parseMessage(message: unknown): ServerMessage {
  return ServerMessage.parse(message);
}
