/** What A2A 0.3 sends over JSON-RPC. @see https://a2a-protocol.org/v0.3.0/specification */

import { z } from "zod";
import { JsonObject } from "./native-schemas.ts";

const TextPart = z.object({ kind: z.literal("text"), text: z.string(), metadata: JsonObject.optional() });
const DataPart = z.object({ kind: z.literal("data"), data: JsonObject, metadata: JsonObject.optional() });
const FilePart = z.object({ kind: z.literal("file"), file: JsonObject, metadata: JsonObject.optional() });

/** Members that are not known are extensions, which the protocol lets a server pass over. */
export const Message = z.object({
  kind: z.literal("message").optional(),
  role: z.literal("user"),
  messageId: z.string().min(1).max(256),
  parts: z.array(z.discriminatedUnion("kind", [TextPart, DataPart, FilePart])).min(1),
  contextId: z.string().nullish(),
  taskId: z.string().nullish(),
});

const HistoryLength = z.number().int().min(0).nullish();

export const SendParams = z.object({
  message: Message,
  configuration: z
    .object({
      blocking: z.boolean().nullish(),
      historyLength: HistoryLength,
      pushNotificationConfig: z.unknown().optional(),
    })
    .nullish(),
});

export const TaskParams = z.object({ id: z.string(), historyLength: HistoryLength });

const Id = z.union([z.string(), z.number(), z.null()]);

export const RpcRequest = z.object({
  jsonrpc: z.literal("2.0"),
  id: Id,
  method: z.string(),
  params: z.unknown().optional(),
});

export const RpcAnswer = z.object({
  jsonrpc: z.literal("2.0"),
  id: Id,
  result: JsonObject.optional(),
  error: z.object({ code: z.number(), message: z.string() }).optional(),
});

export const CardQuery = z.strictObject({ assistant_id: z.string() });

export type SentMessage = z.output<typeof Message>;
export type RpcId = z.output<typeof Id>;

/** @see https://a2a-protocol.org/v0.3.0/specification, 8 */
export const RPC_ERRORS = {
  parse: -32700,
  request: -32600,
  method: -32601,
  params: -32602,
  internal: -32603,
  taskNotFound: -32001,
  notCancelable: -32002,
  pushNotifications: -32003,
  unsupported: -32004,
  contentType: -32005,
} as const;

export class RpcError extends Error {
  override readonly name = "RpcError";
  readonly code: number;

  constructor(kind: keyof typeof RPC_ERRORS, message: string) {
    super(message);
    this.code = RPC_ERRORS[kind];
  }
}
