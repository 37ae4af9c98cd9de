/** The default assistants: each registered graph has one, under an id that follows from its name. */

import { createHash } from "node:crypto";
import type { Graph } from "./graphs.ts";

/** The namespace of the official server, so that ids agree with its. */
const NAMESPACE = Buffer.from("6ba7b8219dad11d180b400c04fd430c8", "hex");

/** Of every default assistant. */
export const CREATED_BY_SYSTEM = { created_by: "system" } as const;

/** The id of a graph's default assistant: the same on every instance and in every deployment (UUID version 5, RFC 9562). */
export function assistantIdOf(graphId: string): string {
  const hash = createHash("sha1").update(NAMESPACE).update(graphId).digest().subarray(0, 16);
  hash.writeUInt8((hash.readUInt8(6) & 0x0f) | 0x50, 6);
  hash.writeUInt8((hash.readUInt8(8) & 0x3f) | 0x80, 8);
  return hash.toString("hex").replace(/(.{8})(.{4})(.{4})(.{4})(.{12})/, "$1-$2-$3-$4-$5");
}

/** The graph whose default assistant is meant, by its name or the assistant's id. */
export function defaultOf(graphs: readonly Graph[], assistantId: string): Graph | undefined {
  return graphs.find(({ name }) => name === assistantId || assistantIdOf(name) === assistantId.toLowerCase());
}
