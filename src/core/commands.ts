/** The rules of the event streaming protocol's commands. A run that one starts is a run like every other. */

import { AppError } from "../errors.ts";
import type { Caller, Scope } from "./auth.ts";
import type { Graph, GraphRegistry } from "./graphs.ts";
import type { GraphConfig } from "./config.ts";
import { isJsonObject, type JsonObject, type MultitaskStrategy, type Thread } from "./model.ts";
import { parseEvent, selectionOf } from "./protocol.ts";
import { findRunAssistant, runAs, type RunAssistant, type RunAssistantDeps } from "./run-assistants.ts";
import type { Command, StreamMode } from "./run-kwargs.ts";
import type { RunRequest } from "./new-run.ts";
import { createRun, type RunDeps } from "./runs.ts";
import type { ThreadLog } from "./thread-log.ts";
import { reachHistory, reachState, type ThreadStateDeps } from "./thread-states.ts";
import type { ReadThread } from "./thread-stream.ts";

/** A run that was started by a command. */
export interface CommandedRun {
  readonly run_id: string;
  /** The thread's newest event when its command came. */
  readonly after: number;
  readonly is_active: boolean;
  readonly created_at: Date;
  /** When it ended, if it is over. */
  readonly updated_at: Date;
}

export interface CommandStore {
  /** The active run that was started by this very command; null when there is none. */
  readonly activeRun: (threadId: string, scope: Scope, commandKey: string) => Promise<string | null>;
  /** The thread's runs that commands started, the newest first, as far back as anybody may still follow. */
  readonly newestRuns: (threadId: string, scope: Scope) => Promise<readonly CommandedRun[]>;
}

export interface CommandDeps extends RunDeps, RunAssistantDeps, ThreadStateDeps {
  readonly graphs: GraphRegistry;
  readonly commands: CommandStore;
  readonly log: ThreadLog;
}

/** @see https://www.npmjs.com/package/@langchain/protocol */
export type CommandErrorCode =
  | "invalid_argument"
  | "unknown_command"
  | "no_such_run"
  | "no_such_namespace"
  | "no_such_interrupt"
  | "no_such_checkpoint"
  | "not_supported";

/** What a command comes to. A refusal is an answer of the protocol, not an error of the server. */
export type CommandResult =
  { readonly result: JsonObject } | { readonly refused: CommandErrorCode; readonly message: string };

/** The command as it was sent: what tells its repetition from another one. */
export interface SentCommand extends ReadThread {
  readonly caller: Caller;
  readonly key: string;
  /** The thread's newest event when it came. */
  readonly after: number;
  /** What the graph's context factory makes of its request. */
  readonly contextFor: (graph: Graph) => Promise<Pick<RunRequest, "madeContext">>;
}

export interface RunStart {
  readonly assistant: RunAssistant;
  readonly input: unknown;
  readonly config: GraphConfig;
  readonly metadata: JsonObject;
  readonly multitaskStrategy: MultitaskStrategy;
  /** What the graph makes of an input that is no answer. @throws AppError `invalid_request` */
  readonly checkInput: (input: unknown) => Promise<unknown>;
}

/** Starts a run, or answers the interrupt that the thread waits at. The same command twice is one run. @throws AppError */
export async function startByCommand(
  deps: CommandDeps,
  sent: SentCommand,
  { input, checkInput, ...start }: RunStart,
): Promise<CommandResult> {
  const thread = input == null ? null : await deps.threads.get(sent.threadId, sent.scope);
  const isAnswer = thread !== null && thread.status === "interrupted" && pendingIds(thread).length > 0;
  const request = isAnswer ? { command: { resume: input } } : { input: await checkInput(input ?? null) };
  return { result: { run_id: await createOnce(deps, sent, { ...start, input: request }) } };
}

export interface Answers {
  /** By the interrupts' ids. */
  readonly responses: JsonObject;
  readonly update: Command["update"];
  readonly goto: Command["goto"];
  readonly config: GraphConfig;
  readonly metadata: JsonObject;
}

/** Answers interrupts that the thread waits at, all of them in one run. */
export async function respond(
  deps: CommandDeps,
  sent: SentCommand,
  { responses, update, goto, ...answers }: Answers,
): Promise<CommandResult> {
  if ((await deps.commands.activeRun(sent.threadId, sent.scope, sent.key)) !== null) return { result: {} };
  const thread = await deps.threads.get(sent.threadId, sent.scope);
  const assistant = thread === null ? undefined : await assistantOf(deps, sent.caller, thread);
  if (thread === null || assistant === undefined) return noRun();
  const pending = thread.status === "interrupted" ? pendingIds(thread) : [];
  if (pending.length === 0)
    return refused(
      "invalid_argument",
      "input.respond can only be used while the thread waits at an interrupt",
    );
  const unknown = Object.keys(responses).find((id) => !pending.includes(id));
  if (unknown !== undefined)
    return refused("no_such_interrupt", `The thread does not wait at interrupt '${unknown}'`);
  const command: Command = {
    resume: responses,
    ...(update === undefined ? {} : { update }),
    ...(goto === undefined ? {} : { goto }),
  };
  await createOnce(deps, sent, {
    ...answers,
    assistant,
    input: { command },
    multitaskStrategy: "enqueue",
  });
  return { result: {} };
}

/** The newest state, of the graph or of a subgraph that is at work. */
export async function readStateByCommand(
  deps: CommandDeps,
  { threadId, ...reader }: SentCommand,
  {
    namespace,
    keys,
  }: { readonly namespace: readonly string[]; readonly keys: readonly string[] | undefined },
): Promise<CommandResult> {
  if ((await deps.threads.get(threadId, reader.scope)) === null) return noRun();
  const at = namespace.length === 0 ? {} : { checkpoint_ns: namespace.join("|") };
  const { values, checkpoint } = await reachState(deps, reader, { threadId, at }, { subgraphs: false });
  if (checkpoint === null && namespace.length > 0)
    return refused("no_such_namespace", `There is no state of '${namespace.join("|")}'`);
  const all = isJsonObject(values) ? Object.entries(values) : [];
  const { checkpoint_id, checkpoint_ns } = checkpoint ?? {};
  return {
    result: {
      values: Object.fromEntries(all.filter(([key]) => keys === undefined || keys.includes(key))),
      ...(typeof checkpoint_id === "string" ? { checkpoint: { id: checkpoint_id, ns: checkpoint_ns } } : {}),
    },
  };
}

/** The thread's checkpoints, the newest first. */
export async function listCheckpoints(
  deps: CommandDeps,
  { threadId, ...reader }: SentCommand,
  query: {
    readonly namespace: readonly string[];
    readonly limit: number;
    readonly before: string | undefined;
  },
): Promise<CommandResult> {
  if ((await deps.threads.get(threadId, reader.scope)) === null) return noRun();
  const { namespace, limit, before } = query;
  const checkpoint = namespace.length === 0 ? {} : { checkpoint_ns: namespace.join("|") };
  const states = await reachHistory(deps, reader, threadId, {
    limit,
    before,
    metadata: undefined,
    checkpoint,
  });
  const checkpoints = states.map(({ checkpoint: at, created_at, metadata }) => ({
    id: at?.checkpoint_id,
    timestamp: created_at,
    step: isJsonObject(metadata) ? metadata["step"] : undefined,
    metadata,
  }));
  return { result: { checkpoints } };
}

/** A new run from a checkpoint of the thread. */
export async function fork(
  deps: CommandDeps,
  sent: SentCommand,
  { checkpointId, input, config }: { checkpointId: string; input: unknown; config: GraphConfig },
): Promise<CommandResult> {
  const { threadId, scope } = sent;
  const thread = await deps.threads.get(threadId, scope);
  const assistant = thread === null ? undefined : await assistantOf(deps, sent.caller, thread);
  if (assistant === undefined) return noRun();
  const place = { threadId, at: { checkpoint_id: checkpointId } };
  const found = await reachState(deps, sent, place, { subgraphs: false }).catch(missing);
  if (found === null) return refused("no_such_checkpoint", `Checkpoint '${checkpointId}' not found`);
  const run_id = await createOnce(deps, sent, {
    assistant,
    input: { input: input ?? null },
    config: { ...config, configurable: { ...config.configurable, checkpoint_id: checkpointId } },
    metadata: {},
    multitaskStrategy: "enqueue",
  });
  return { result: { run_id, thread_id: threadId } };
}

function missing(error: unknown): null {
  if (error instanceof AppError && error.code === "not_found") return null;
  throw error;
}

interface Branch {
  readonly namespace: readonly unknown[];
  readonly status: unknown;
  readonly graph_name: unknown;
  readonly children?: readonly Branch[];
}

/** The graph and its subgraphs in the newest run, and how far each has come. */
export async function agentTree(deps: CommandDeps, { threadId, scope }: ReadThread): Promise<CommandResult> {
  const [newest] = await deps.commands.newestRuns(threadId, scope);
  if (newest === undefined) return noRun();
  const branches = new Map<string, Branch>();
  const selection = selectionOf({ channels: ["lifecycle"] });
  for (let after = newest.after; ;) {
    const page = await deps.log.readThread(threadId, scope, after, selection);
    for (const event of page.events) {
      const { namespace, data } = parseEvent(event)?.params ?? {};
      if (event.run_id !== newest.run_id || !Array.isArray(namespace) || !isJsonObject(data)) continue;
      const branch = { namespace, status: data["event"], graph_name: data["graph_name"] };
      branches.set(namespace.join("|"), branch);
    }
    if (page.isLast) break;
    after = page.through;
  }
  const root = branches.get("");
  return root === undefined ? noRun() : { result: { tree: withChildren(root, [...branches.values()]) } };
}

function withChildren(branch: Branch, all: readonly Branch[]): Branch {
  const { namespace } = branch;
  const children = all
    .filter(
      (one) =>
        one.namespace.length === namespace.length + 1 &&
        namespace.every((segment, level) => one.namespace[level] === segment),
    )
    .map((one) => withChildren(one, all));
  return children.length === 0 ? branch : { ...branch, children };
}

/**
 * Where a stream begins that asks for nothing else: with the newest run, and the runs that it had to wait for. Older
 * ones are over for everybody: official clients take the end of any run that they read for the end of theirs.
 */
export async function replayStart(
  { commands, log }: CommandDeps,
  { threadId, scope }: ReadThread,
): Promise<number> {
  const [newest, ...before] = await commands.newestRuns(threadId, scope);
  if (newest === undefined) return log.newestSeq(threadId, scope);
  let first = newest;
  for (const earlier of before) {
    if (!earlier.is_active && earlier.updated_at < first.created_at) break;
    first = earlier;
  }
  return first.after;
}

/** What clients of the protocol may ask of a run's stream. */
export const PROTOCOL_STREAM_MODES: readonly StreamMode[] = [
  "values",
  "updates",
  "messages",
  "custom",
  "tasks",
  "checkpoints",
];

/** The run of this command: one that is active already, else a new one. */
async function createOnce(
  deps: CommandDeps,
  { caller, threadId, scope, key, after, contextFor }: SentCommand,
  {
    assistant: asked,
    ...start
  }: Pick<RunRequest, "input" | "config" | "metadata" | "multitaskStrategy"> & Pick<RunStart, "assistant">,
): Promise<string> {
  const active = await deps.commands.activeRun(threadId, scope, key);
  if (active !== null) return active;
  try {
    const { run_id } = await runAs(deps, asked, async (assistant) =>
      createRun(deps, caller, {
        ...start,
        assistant,
        graph: assistant.graph,
        metadata: {
          graph_id: assistant.graph.name,
          assistant_id: assistant.assistant_id,
          ...start.metadata,
        },
        threadId,
        streamModes: PROTOCOL_STREAM_MODES,
        settings: { subgraphs: true, protocol: { after } },
        commandKey: key,
        ...(await contextFor(assistant.graph)),
      }),
    );
    return run_id;
  } catch (error) {
    if (!(error instanceof AppError) || error.code !== "thread_busy") throw error;
    const twin = await deps.commands.activeRun(threadId, scope, key); // it came at the same moment
    if (twin === null) throw error;
    return twin;
  }
}

/** Whose run was the thread's last. */
async function assistantOf(
  deps: CommandDeps,
  caller: Caller,
  { metadata }: Thread,
): Promise<RunAssistant | undefined> {
  const { assistant_id, graph_id } = metadata;
  for (const id of [assistant_id, graph_id]) {
    if (typeof id !== "string") continue;
    const found = await findRunAssistant(deps, caller, id).catch(missing);
    if (found !== null) return found;
  }
  return undefined;
}

function pendingIds({ interrupts }: Thread): readonly unknown[] {
  const all: readonly unknown[] = Object.values(interrupts).flat();
  return all.flatMap((interrupt) => (isJsonObject(interrupt) ? [interrupt["id"]] : []));
}

function noRun(): CommandResult {
  return refused("no_such_run", "No run has been started on this thread");
}

export function refused(code: CommandErrorCode, message: string): CommandResult {
  return { refused: code, message };
}
