/** The rules of assistants. */

import { createHash } from "node:crypto";
import { AppError } from "../errors.ts";
import type { Graph } from "./graphs.ts";

/** The namespace of the official server, so that ids agree with its. */
const NAMESPACE = Buffer.from("6ba7b8219dad11d180b400c04fd430c8", "hex");

/** The id of a graph's default assistant: the same on every instance and in every deployment (UUID version 5, RFC 9562). */
export function assistantIdOf(graphId: string): string {
  const hash = createHash("sha1").update(NAMESPACE).update(graphId).digest().subarray(0, 16);
  hash.writeUInt8((hash.readUInt8(6) & 0x0f) | 0x50, 6);
  hash.writeUInt8((hash.readUInt8(8) & 0x3f) | 0x80, 8);
  return hash.toString("hex").replace(/(.{8})(.{4})(.{4})(.{4})(.{12})/, "$1-$2-$3-$4-$5");
}

/** The graph that an assistant id stands for: its name, or the id of its default assistant. @throws AppError `not_found` */
export function graphOfAssistant(graphs: readonly Graph[], assistantId: string): Graph {
  const graph = graphs.find(({ name }) => name === assistantId || assistantIdOf(name) === assistantId);
  if (graph === undefined) throw new AppError("not_found", `Assistant '${assistantId}' not found`);
  return graph;
}
