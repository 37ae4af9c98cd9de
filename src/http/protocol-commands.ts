/** The commands of the event streaming protocol: each with what its caller must be allowed to do, and how it is read. */

import type { z } from "zod";
import {
  agentTree,
  fork,
  listCheckpoints,
  readStateByCommand,
  refused,
  respond,
  startByCommand,
  type CommandDeps,
  type CommandResult,
  type SentCommand,
} from "../core/commands.ts";
import type { Scope } from "../core/auth.ts";
import type { Graph } from "../core/graphs.ts";
import type { GraphConfig } from "../core/config.ts";
import { findRunAssistant } from "../core/run-assistants.ts";
import type { AuthLevel, JsonObject } from "../core/model.ts";
import type { Logger } from "../core/logger.ts";
import { AppError } from "../errors.ts";
import { requireLevel } from "./authenticate.ts";
import { checkCommand, checkMessages, parse, readObject, type BodyLimits } from "./body.ts";
import { commandKey } from "./command-key.ts";
import { graphConfig, makeContext } from "./native.ts";
import type { Config } from "./native-schemas.ts";
import * as schemas from "./protocol-schemas.ts";
import { json } from "./respond.ts";
import type { Call } from "./router.ts";
import { tracing } from "./run-request.ts";
import { threadId } from "./thread-route.ts";

export interface ProtocolDeps extends CommandDeps {
  readonly limits: BodyLimits;
  readonly logger: Logger;
}

/** What is asked about a thread before anything of it is looked at. */
type Access = "threads:read" | "threads:update";

/** The runs that commands start are asked about as all runs are. */
export const COMMAND_PERMISSIONS = ["threads:read", "threads:update", "threads:create_run"] as const;

interface CommandCall {
  readonly call: Call;
  readonly params: JsonObject;
  readonly sent: SentCommand;
}

interface CommandKind {
  readonly access: Access;
  readonly carryOut: (deps: ProtocolDeps, command: CommandCall) => Promise<CommandResult>;
}

const COMMANDS: ReadonlyMap<string, CommandKind> = new Map<string, CommandKind>([
  ["run.start", { access: "threads:read", carryOut: start }],
  ["input.respond", { access: "threads:update", carryOut: answer }],
  ["state.get", { access: "threads:read", carryOut: getState }],
  ["state.listCheckpoints", { access: "threads:read", carryOut: getCheckpoints }],
  ["state.fork", { access: "threads:read", carryOut: forkRun }],
  ["agent.getTree", { access: "threads:read", carryOut: async (deps, { sent }) => agentTree(deps, sent) }],
]);

/** Known to the protocol, and why not here. */
const UNSUPPORTED: ReadonlyMap<string, string> = new Map([
  ["input.inject", "a run takes no input while it is active; start another one, which waits for it"],
  ["subscription.subscribe", "each POST to stream/events is a subscription of its own"],
  ["subscription.unsubscribe", "close the stream instead"],
  ["subscription.reconnect", "POST to stream/events again; events keep their ids"],
]);

/** A refusal is an answer as well; what the server cannot do just now is an error of HTTP, which clients try again. */
export async function runCommand(deps: ProtocolDeps, call: Call): Promise<Response> {
  const thread = threadId(call);
  const body = await readObject(call.request, deps.limits).catch(malformed);
  if (body instanceof Response) return body;
  const command = await parse(schemas.CommandBody, body).catch(malformed);
  if (command instanceof Response) return command;
  const { id, method } = command;
  const kind = COMMANDS.get(method);
  const scope = await scopeOf(deps, call, thread, kind?.access ?? "threads:read");
  if (kind === undefined) return json(errorAnswer(id, notOurs(method)));
  const params = command.params ?? {};
  const applied = await deps.log.newestSeq(thread, scope); // before the command: what comes of it is new
  const contextFor = async (graph: Graph) => {
    // Which graph it is may be what the thread's metadata says, and that is the client's to write.
    requireLevel(graph.authLevel, call.invocation.authLevel);
    return makeContext(graph, call);
  };
  const { caller } = call;
  const key = commandKey(caller, id, method, params);
  const sent = { threadId: thread, scope, caller, after: applied, key, contextFor };
  try {
    const answer = await kind.carryOut(deps, { call, params, sent });
    if ("refused" in answer) return json(errorAnswer(id, answer));
    const meta = { thread_id: thread, applied_through_seq: applied };
    return json({ type: "success", id, result: answer.result, meta });
  } catch (error) {
    if (!(error instanceof AppError) || !IN_ENVELOPE.has(error.code)) throw error;
    const status = error.code === "not_found" ? 404 : 200;
    return json(errorAnswer(id, { refused: "invalid_argument", message: error.message }), status);
  }
}

const IN_ENVELOPE: ReadonlySet<string> = new Set([
  "invalid_request",
  "input_too_complex",
  "message_too_large",
  "not_found",
  "thread_busy",
]);

function notOurs(method: string): CommandResult {
  const reason = UNSUPPORTED.get(method);
  return reason === undefined
    ? refused("unknown_command", `Unknown protocol command: ${method}`)
    : refused("not_supported", `${method} is not supported: ${reason}`);
}

function errorAnswer(id: number | null, result: CommandResult): JsonObject {
  const { refused: error, message } =
    "refused" in result ? result : { refused: "unknown_error", message: "" };
  return { type: "error", id, error, message };
}

function malformed(error: unknown): Response {
  if (!(error instanceof AppError) || error.status >= 500) throw error;
  const { message } = error;
  return json({ ...errorAnswer(null, refused("invalid_argument", message)), detail: message }, 400);
}

/**
 * How far the caller of a command or a stream reaches: the one place where all of them are checked. A thread that is out
 * of reach is one that there is not.
 * @throws AppError `unauthorized`, `forbidden`
 */
export async function scopeOf(
  deps: ProtocolDeps,
  { caller, invocation }: Call,
  thread: string,
  access: Access,
): Promise<Scope> {
  const { scope } = await caller.authorize(access, { thread_id: thread });
  const bound = await deps.threads.boundTo(thread, scope);
  const graphs = deps.graphs.list();
  const graph = graphs.find(({ name }) => name === bound?.graph_id);
  // A thread that no graph has run on yet may become any graph's.
  const levels = graph === undefined ? graphs.map(({ authLevel }) => authLevel) : [graph.authLevel];
  for (const level of new Set<AuthLevel>(levels)) requireLevel(level, invocation.authLevel);
  return scope;
}

async function start(deps: ProtocolDeps, { call, params, sent }: CommandCall): Promise<CommandResult> {
  const { assistant_id, input, config, metadata, langsmith_tracer, ...rest } = await parse(
    schemas.RunStartParams,
    params,
  );
  checkMessages(input, "input", deps.limits);
  const assistant = await findRunAssistant(deps, call.caller, assistant_id);
  const { graph } = assistant;
  requireLevel(graph.authLevel, call.invocation.authLevel);
  const { configurable, ...given } = toConfig(config, sent.threadId);
  const run = {
    assistant,
    input,
    config: { ...given, configurable: { ...configurable, ...tracing(langsmith_tracer) } },
    metadata: metadata ?? {},
    multitaskStrategy: rest.multitask_strategy ?? rest.multitaskStrategy ?? "enqueue",
    checkInput: async (fresh: unknown) => checkedInput(graph, fresh),
  } as const;
  return startByCommand(deps, sent, run);
}

/** What the graph's own schema makes of an input. */
async function checkedInput({ inputSchema }: Graph, input: unknown): Promise<unknown> {
  return inputSchema === undefined || input === null ? input : parse(inputSchema, input, ["input"]);
}

async function answer(deps: ProtocolDeps, { params, sent }: CommandCall): Promise<CommandResult> {
  const given = await parse(schemas.RespondParams, params);
  checkCommand(given, "params", deps.limits);
  const entries = "responses" in given ? given.responses : [given];
  return respond(deps, sent, {
    responses: Object.fromEntries(
      entries.map(({ interrupt_id, response }) => [interrupt_id, response ?? null]),
    ),
    update: given.update ?? undefined,
    goto: given.goto ?? undefined,
    config: toConfig(given.config, sent.threadId),
    metadata: given.metadata ?? {},
  });
}

async function getState(deps: ProtocolDeps, { params, sent }: CommandCall): Promise<CommandResult> {
  const { namespace, keys } = await parse(schemas.StateGetParams, params);
  return readStateByCommand(deps, sent, { namespace, keys: keys ?? undefined });
}

async function getCheckpoints(deps: ProtocolDeps, { params, sent }: CommandCall): Promise<CommandResult> {
  const { namespace, limit, before } = await parse(schemas.ListCheckpointsParams, params);
  return listCheckpoints(deps, sent, { namespace, limit, before: before ?? undefined });
}

async function forkRun(deps: ProtocolDeps, { params, sent }: CommandCall): Promise<CommandResult> {
  const { checkpoint_id, input, config } = await parse(schemas.ForkParams, params);
  checkMessages(input, "input", deps.limits);
  return fork(deps, sent, {
    checkpointId: checkpoint_id,
    input,
    config: toConfig(config, sent.threadId),
  });
}

/** The thread is the path's. */
function toConfig(config: z.output<typeof Config> | null | undefined, thread: string): GraphConfig {
  const { thread_id, ...configurable } = config?.configurable ?? {};
  if (thread_id !== undefined && thread_id !== null && thread_id !== thread)
    throw new AppError("invalid_request", "config.configurable.thread_id: not the thread of the path");
  return graphConfig(config ?? {}, configurable);
}
