/**
 * The rules of assistants: a graph with a configuration, in versions. Every graph has a default one, whose first version
 * is what the graph is registered with.
 */

import { createHash } from "node:crypto";
import type { Clock } from "../clock.ts";
import { AppError } from "../errors.ts";
import { EVERYTHING, type Caller, type Scope } from "./auth.ts";
import { toWireConfig, type WireConfig } from "./config.ts";
import type { Graph, GraphRegistry } from "./graphs.ts";
import type { JsonObject } from "./model.ts";
import { pruneThreads, type ThreadDeps } from "./threads.ts";

/** What a version holds. */
export interface AssistantContent {
  readonly graph_id: string;
  readonly name: string;
  readonly description: string | null;
  readonly config: WireConfig;
  readonly context: JsonObject;
  readonly metadata: JsonObject;
}

export interface AssistantVersion extends AssistantContent {
  readonly assistant_id: string;
  readonly version: number;
  readonly created_at: Date;
}

/** An assistant as clients see it. */
export interface Assistant extends AssistantVersion {
  readonly updated_at: Date;
}

/** As the database keeps it: null stands for what the graph of a default assistant is registered with. */
export type Stored<Version extends AssistantVersion> = Omit<Version, "config" | "context"> & {
  readonly config: WireConfig | null;
  readonly context: JsonObject | null;
};

/** What is absent stays as it is. */
export interface AssistantPatch {
  readonly graph_id: string | undefined;
  readonly name: string | undefined;
  readonly description: string | undefined;
  readonly config: WireConfig | undefined;
  readonly context: JsonObject | undefined;
  /** Laid over the assistant's, key by key. */
  readonly metadata: JsonObject;
}

/** Which assistants; a filter that is absent lets all pass. */
export interface AssistantFilter {
  /** Contained in the assistant's. */
  readonly metadata: JsonObject | undefined;
  readonly graph_id: string | undefined;
  /** Part of the assistant's, in whatever case. */
  readonly name: string | undefined;
  /** Graphs whose assistants are not for the caller. */
  readonly notOf: readonly string[];
}

export interface AssistantPage {
  readonly limit: number;
  readonly offset: number;
  readonly sort_by: "assistant_id" | "graph_id" | "name" | "created_at" | "updated_at";
  readonly sort_order: "asc" | "desc";
}

/** The durable record of assistants. Default ones of registered graphs are always there; `now` is when they came to be. */
export interface AssistantStore {
  readonly get: (assistant_id: string, scope: Scope, now: Date) => Promise<Stored<Assistant> | null>;
  /** Null when there is one of this id. */
  readonly create: (
    assistant: AssistantContent & { readonly assistant_id: string },
    now: Date,
  ) => Promise<Stored<Assistant> | null>;
  /** Makes the next version, in force at once. */
  readonly update: (
    assistant_id: string,
    patch: AssistantPatch,
    now: Date,
  ) => Promise<Stored<Assistant> | null>;
  /** With all its versions; a default one is then as on the first day. */
  readonly remove: (assistant_id: string, now: Date) => Promise<boolean>;
  readonly search: (
    filter: AssistantFilter,
    scope: Scope,
    page: AssistantPage,
    now: Date,
  ) => Promise<readonly Stored<Assistant>[]>;
  readonly count: (filter: AssistantFilter, scope: Scope, now: Date) => Promise<number>;
}

export interface AssistantVersionStore {
  /** The newest first. */
  readonly list: (
    assistant_id: string,
    page: {
      readonly metadata: JsonObject | undefined;
      readonly limit: number;
      readonly offset: number;
    },
  ) => Promise<readonly Stored<AssistantVersion>[]>;
  /** Puts a version in force; null when there is none of this number. */
  readonly activate: (assistant_id: string, version: number, now: Date) => Promise<Stored<Assistant> | null>;
}

/** Looks into a graph without running it. */
export interface GraphInspector {
  /** Nodes and edges; with those of subgraphs, all the way down or so many levels. */
  readonly draw: (graph: Graph, config: WireConfig, xray: boolean | number) => Promise<unknown>;
  readonly schemas: (graph: Graph, config: WireConfig) => Promise<GraphSchemas>;
  /** By namespace, `outer|inner`. */
  readonly subgraphs: (
    graph: Graph,
    config: WireConfig,
    which: { readonly namespace: string | undefined; readonly recurse: boolean },
  ) => Promise<Readonly<Record<string, GraphSchemas>>>;
}

/** JSON Schemas; one is missing when the graph does not tell at run time. */
export interface GraphSchemas {
  readonly input_schema: JsonObject | undefined;
  readonly output_schema: JsonObject | undefined;
  readonly state_schema: JsonObject | undefined;
  readonly config_schema: JsonObject | undefined;
  readonly context_schema: JsonObject | undefined;
}

export interface AssistantDeps extends ThreadDeps {
  readonly assistants: AssistantStore;
  readonly assistantVersions: AssistantVersionStore;
  readonly graphs: GraphRegistry;
  readonly clock: Clock;
  readonly newId: () => string;
}

/** The namespace of the official server, so that ids agree with its. */
const NAMESPACE = Buffer.from("6ba7b8219dad11d180b400c04fd430c8", "hex");

/** Of every default assistant. */
export const SYSTEM = { created_by: "system" } as const;

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

/** Makes an assistant, or finds the one that is there, if that is wanted. @throws AppError `not_found`, `assistant_exists` */
export async function createAssistant(
  deps: AssistantDeps,
  {
    assistant_id = deps.newId(),
    if_exists,
    ...content
  }: AssistantContent & {
    readonly assistant_id: string | undefined;
    readonly if_exists: "raise" | "do_nothing";
  },
): Promise<Assistant> {
  deps.graphs.get(content.graph_id);
  const created = await deps.assistants.create({ assistant_id, ...content }, deps.clock.now());
  if (created !== null) return shown(deps, created);
  const existing =
    if_exists === "do_nothing" ? await deps.assistants.get(assistant_id, EVERYTHING, deps.clock.now()) : null;
  if (existing === null) throw new AppError("assistant_exists", `Assistant '${assistant_id}' exists already`);
  return shown(deps, existing);
}

/** By its id, or a graph's default one, which is there for all, by the graph's name. @throws AppError `not_found`, `forbidden` */
export async function getAssistant(
  deps: Pick<AssistantDeps, "assistants" | "graphs" | "clock">,
  caller: Caller,
  assistantId: string,
): Promise<Assistant> {
  const graph = defaultOf(deps.graphs.list(), assistantId);
  const id = graph === undefined ? assistantId : assistantIdOf(graph.name);
  const granted = await caller.authorize("assistants:read", { assistant_id: id });
  const scope = graph === undefined ? granted.scope : EVERYTHING;
  const found = UUID.test(id) ? await deps.assistants.get(id, scope, deps.clock.now()) : null;
  if (found === null) throw missing(assistantId);
  return shown(deps, found);
}

const UUID = /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/i;

/** @throws AppError `not_found`, also for a graph that is not registered */
export async function updateAssistant(
  deps: AssistantDeps,
  { assistant_id }: Assistant,
  patch: AssistantPatch,
): Promise<Assistant> {
  if (patch.graph_id !== undefined) deps.graphs.get(patch.graph_id);
  const updated = await deps.assistants.update(assistant_id, patch, deps.clock.now());
  if (updated === null) throw missing(assistant_id);
  return shown(deps, updated);
}

/**
 * Its crons go with it. Runs keep their record: they have taken over what they need of it. A default assistant is there again, as registered:
 * the official server makes it anew when it starts, and we start all the time.
 * @throws AppError `not_found`
 */
export async function deleteAssistant(
  deps: AssistantDeps,
  { assistant_id }: Assistant,
  withThreads: boolean,
): Promise<void> {
  if (withThreads) await deleteThreads(deps, assistant_id);
  if (!(await deps.assistants.remove(assistant_id, deps.clock.now()))) throw missing(assistant_id);
}

const THREADS_AT_ONCE = 500;

async function deleteThreads(deps: AssistantDeps, assistant_id: string): Promise<void> {
  const page = { limit: THREADS_AT_ONCE, offset: 0, sort_by: "thread_id", sort_order: "asc" } as const;
  for (;;) {
    const found = await deps.threads.search(
      { metadata: { assistant_id } },
      { ...page, select: ["thread_id"] },
    );
    const ids = found.flatMap(({ thread_id }) => thread_id ?? []);
    await pruneThreads(deps, ids, "delete");
    if (ids.length < THREADS_AT_ONCE) return;
  }
}

export interface FoundAssistants {
  readonly assistants: readonly Assistant[];
  /** Of all that match, on whichever page. */
  readonly total: number;
  /** Where the next page starts, if there is one. */
  readonly next: number | null;
}

export async function searchAssistants(
  deps: AssistantDeps,
  caller: Caller,
  filter: AssistantFilter,
  page: AssistantPage,
): Promise<FoundAssistants> {
  const { limit, offset } = page;
  const { scope } = await caller.authorize("assistants:search", { ...filter, limit, offset });
  const now = deps.clock.now();
  const [found, total] = await Promise.all([
    deps.assistants.search(filter, scope, page, now),
    deps.assistants.count(filter, scope, now),
  ]);
  const end = page.offset + page.limit;
  return { assistants: found.map((one) => shown(deps, one)), total, next: total > end ? end : null };
}

/** A page of the versions, the newest first. */
export async function listVersions(
  deps: AssistantDeps,
  { assistant_id }: Assistant,
  page: Parameters<AssistantVersionStore["list"]>[1],
): Promise<readonly AssistantVersion[]> {
  const found = await deps.assistantVersions.list(assistant_id, page);
  return found.map((version) => shown(deps, version));
}

/** Puts a version in force, with all that it holds. @throws AppError `not_found` */
export async function setLatestVersion(
  deps: AssistantDeps,
  { assistant_id }: Assistant,
  version: number,
): Promise<Assistant> {
  const activated = await deps.assistantVersions.activate(assistant_id, version, deps.clock.now());
  if (activated === null)
    throw new AppError("not_found", `Assistant '${assistant_id}' has no version ${version}`);
  return shown(deps, activated);
}

/** Fills in what the graph of a default assistant is registered with. */
function shown<Version extends AssistantVersion>(
  { graphs }: Pick<AssistantDeps, "graphs">,
  stored: Stored<Version>,
): Omit<Version, "config" | "context"> & Pick<AssistantContent, "config" | "context" | "description"> {
  const graph = defaultOf(graphs.list(), stored.assistant_id);
  return {
    ...stored,
    config: stored.config ?? toWireConfig(graph?.config ?? {}),
    context: stored.context ?? graph?.assistantContext ?? {},
    description: stored.description ?? graph?.description ?? null,
  };
}

function missing(assistantId: string): AppError {
  return new AppError("not_found", `Assistant '${assistantId}' not found`);
}
