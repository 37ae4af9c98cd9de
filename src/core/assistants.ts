/**
 * The rules of assistants: a graph with a configuration, in versions. Every graph has a default one, whose first version
 * is what the graph is registered with.
 */

import type { Clock } from "../clock.ts";
import { AppError } from "../errors.ts";
import type {
  AssistantContent,
  AssistantVersion,
  Assistant,
  Stored,
  AssistantPatch,
  AssistantFilter,
  AssistantPage,
  AssistantStore,
  VersionPage,
  AssistantVersionStore,
} from "./assistant-store.ts";
import type { Caller, Scope } from "./auth.ts";
import { toWireConfig } from "./config.ts";
import { assistantIdOf, defaultOf } from "./default-assistants.ts";
import type { GraphRegistry } from "./graphs.ts";
import { foundOn, type Found } from "./paging.ts";
import { deleteMatching } from "./thread-removal.ts";
import type { ThreadDeps } from "./threads.ts";
import { UUID } from "./uuid.ts";

export interface AssistantDeps extends ThreadDeps {
  readonly assistants: AssistantStore;
  readonly assistantVersions: AssistantVersionStore;
  readonly graphs: GraphRegistry;
  readonly clock: Clock;
  readonly newId: () => string;
}

/**
 * Makes an assistant, or finds the one that is there, if that is wanted.
 * @throws AppError `not_found`, `forbidden`; `assistant_exists`, also for one that is out of reach
 */
export async function createAssistant(
  deps: AssistantDeps,
  caller: Caller,
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
  const asked = { assistant_id, if_exists, ...content };
  const { value, scope } = await caller.authorize("assistants:create", asked);
  const { if_exists: _, ...allowed } = value;
  deps.graphs.get(allowed.graph_id);
  const assistant = { ...allowed, assistant_id, owner: caller.owner };
  const created = await deps.assistants.create(assistant, deps.clock.now());
  if (created !== null) return shown(deps, created);
  const existing =
    if_exists === "do_nothing" ? await deps.assistants.get(assistant_id, scope, deps.clock.now()) : null;
  if (existing === null) throw new AppError("assistant_exists", `Assistant '${assistant_id}' exists already`);
  return shown(deps, existing);
}

type FindDeps = Pick<AssistantDeps, "assistants" | "graphs" | "clock">;

/** By its id, or a graph's default one by the graph's name. @throws AppError `not_found`, `forbidden` */
export async function getAssistant(deps: FindDeps, caller: Caller, assistantId: string): Promise<Assistant> {
  const { scope } = await caller.authorize("assistants:read", { assistant_id: idOf(deps, assistantId) });
  return findAssistant(deps, scope, assistantId);
}

async function findAssistant(deps: FindDeps, scope: Scope, assistantId: string): Promise<Assistant> {
  const id = idOf(deps, assistantId);
  const found = UUID.test(id) ? await deps.assistants.get(id, scope, deps.clock.now()) : null;
  if (found === null) throw missing(assistantId);
  return shown(deps, found);
}

function idOf({ graphs }: Pick<FindDeps, "graphs">, assistantId: string): string {
  const graph = defaultOf(graphs.list(), assistantId);
  return graph === undefined ? assistantId : assistantIdOf(graph.name);
}

/** What is to be done to an assistant: to which one, and whether that is well; if not, `check` throws. */
export interface AssistantTarget {
  /** Or a graph's name, for its default one. */
  readonly id: string;
  readonly check: (assistant: Assistant) => void;
}

/** What is to be changed. @throws AppError `not_found`; `forbidden` for what is everybody's */
async function findOwn(deps: FindDeps, scope: Scope, { id, check }: AssistantTarget): Promise<string> {
  const assistant = await findAssistant(deps, scope, id);
  check(assistant);
  const { assistant_id } = assistant;
  if (scope.owner !== undefined && defaultOf(deps.graphs.list(), assistant_id) !== undefined) {
    const advice = "make an assistant of your own";
    throw new AppError("forbidden", `Assistant '${id}' is its graph's default one, for everybody: ${advice}`);
  }
  return assistant_id;
}

/** @throws AppError `not_found`, also for a graph that is not registered; `forbidden` */
export async function updateAssistant(
  deps: AssistantDeps,
  caller: Caller,
  target: AssistantTarget,
  patch: AssistantPatch,
): Promise<Assistant> {
  const asked = { assistant_id: idOf(deps, target.id), ...patch };
  const { value, scope } = await caller.authorize("assistants:update", asked);
  const assistant_id = await findOwn(deps, scope, target);
  const { assistant_id: _, ...allowed } = value;
  if (allowed.graph_id !== undefined) deps.graphs.get(allowed.graph_id);
  const updated = await deps.assistants.update(assistant_id, scope, allowed, deps.clock.now());
  if (updated === null) throw missing(assistant_id);
  return shown(deps, updated);
}

/**
 * Its crons go with it, and if that is wanted, those of its threads that the caller may delete. Runs keep their record:
 * they have taken over what they need of it. A default assistant is there again, as registered: the official server
 * makes it anew when it starts, and we start all the time.
 * @returns its id
 * @throws AppError `not_found`, `forbidden`
 */
export async function deleteAssistant(
  deps: AssistantDeps,
  caller: Caller,
  target: AssistantTarget,
  withThreads: boolean,
): Promise<string> {
  const { scope } = await caller.authorize("assistants:delete", { assistant_id: idOf(deps, target.id) });
  const assistant_id = await findOwn(deps, scope, target);
  if (withThreads) await deleteMatching(deps, caller, { metadata: { assistant_id } });
  if (!(await deps.assistants.remove(assistant_id, scope, deps.clock.now()))) throw missing(assistant_id);
  return assistant_id;
}

/** The caller's own, and the default ones. @throws AppError `forbidden` */
export async function searchAssistants(
  deps: AssistantDeps,
  caller: Caller,
  { metadata, graph_id, ...filter }: AssistantFilter,
  { limit, offset, ...page }: AssistantPage,
): Promise<Found<Assistant>> {
  const asked = { metadata, graph_id, limit, offset };
  const { value, scope } = await caller.authorize("assistants:search", asked);
  const now = deps.clock.now();
  const allowed = { ...filter, graph_id: value.graph_id, metadata: value.metadata };
  const [found, total] = await Promise.all([
    deps.assistants.search(allowed, scope, { ...page, limit: value.limit, offset: value.offset }, now),
    deps.assistants.count(allowed, scope, now),
  ]);
  const assistants = found.map((one) => shown(deps, one));
  return foundOn(value, assistants, total);
}

/** @throws AppError `forbidden` */
export async function countAssistants(
  { assistants, clock }: Pick<AssistantDeps, "assistants" | "clock">,
  caller: Caller,
  { metadata, graph_id, ...filter }: AssistantFilter,
): Promise<number> {
  const { value, scope } = await caller.authorize("assistants:search", { metadata, graph_id });
  return assistants.count({ ...filter, ...value }, scope, clock.now());
}

/** A page of the versions, the newest first. @throws AppError `not_found`, `forbidden` */
export async function listVersions(
  deps: AssistantDeps,
  caller: Caller,
  { id, check }: AssistantTarget,
  page: VersionPage,
): Promise<readonly AssistantVersion[]> {
  const { scope } = await caller.authorize("assistants:read", { assistant_id: idOf(deps, id) });
  const assistant = await findAssistant(deps, scope, id);
  check(assistant);
  const found = await deps.assistantVersions.list(assistant.assistant_id, scope, page);
  return found.map((version) => shown(deps, version));
}

/** Puts a version in force, with all that it holds. @throws AppError `not_found`, `forbidden` */
export async function setLatestVersion(
  deps: AssistantDeps,
  caller: Caller,
  target: AssistantTarget,
  version: number,
): Promise<Assistant> {
  const asked = { assistant_id: idOf(deps, target.id), version };
  const { value, scope } = await caller.authorize("assistants:update", asked);
  const assistant_id = await findOwn(deps, scope, target);
  const now = deps.clock.now();
  const activated = await deps.assistantVersions.activate(assistant_id, scope, value.version, now);
  if (activated === null)
    throw new AppError("not_found", `Assistant '${assistant_id}' has no version ${value.version}`);
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
