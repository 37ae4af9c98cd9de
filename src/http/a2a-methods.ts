/** The methods of A2A: a message is a run of an assistant on the thread of its context. */

import { EVERYTHING } from "../core/auth.ts";
import { isFinal, isJsonObject, type RunEvent } from "../core/model.ts";
import type { RunAssistant } from "../core/run-assistants.ts";
import type { RunAccess } from "../core/run-access.ts";
import { cancelRuns } from "../core/runs.ts";
import { findTask, TASK_ID, taskRunOf, taskStateOf, type FoundTask, type TaskRun } from "../core/tasks.ts";
import { checkThreadId } from "../core/threads.ts";
import { AppError } from "../errors.ts";
import { RpcError, type SentMessage } from "./a2a-schemas.ts";
import { answerOf, artifactId, inputOf, messageText, taskOf, type Task } from "./a2a-tasks.ts";
import type { AssistantRouteDeps } from "./assistant-route.ts";
import { configurableHeaders } from "./headers.ts";
import { checkRunBody } from "./native.ts";
import type { Call } from "./router.ts";
import { createAs, type Asked, type RunsDeps, type Started } from "./runs-create.ts";
import { awaitEnd, untilEnd } from "./runs-response.ts";
import { RunCreate, StatelessRunCreate } from "./runs-schemas.ts";
import { StreamCut, type WriteFrame } from "./sse.ts";

type MethodDeps = AssistantRouteDeps & RunsDeps;

/** What a method is called with. */
export interface Asking {
  readonly call: Call;
  readonly assistant: RunAssistant;
}

/** The run that a message asks for: one that answers the task which it names, or a new one. */
export async function toAsked(
  deps: MethodDeps,
  { call, assistant }: Asking,
  message: SentMessage,
): Promise<Asked> {
  const { taskId } = message;
  const task = taskId == null ? undefined : await taskNamed(deps, { call, assistant }, taskId, READING);
  if (task !== undefined && message.contextId != null && message.contextId !== task.run.thread_id)
    throw new RpcError("params", "message.contextId: the task is of another context");
  if (task !== undefined && !isFinal(task.run.status))
    throw new RpcError("unsupported", "The task is being worked on; send the message when it has ended");
  const isAnswer = task !== undefined && taskStateOf(task) === "input-required";
  const threadId =
    task?.run.thread_id ?? (message.contextId == null ? undefined : checkThreadId(message.contextId));
  const input = isAnswer ? { command: { resume: answerOf(message) } } : { input: inputOf(message) };
  if (!isAnswer) await checkText(deps, assistant, message);
  const { assistant_id } = assistant;
  const sent = checkRunBody(
    { assistant_id, ...input, stream_mode: ["values", "messages-tuple"] },
    deps.limits,
  );
  const rules = isAnswer ? { metadata: { [TASK_ID]: message.taskId } } : {};
  const body =
    threadId === undefined
      ? StatelessRunCreate.parse({ ...sent, ...rules, on_completion: "keep" })
      : RunCreate.parse({ ...sent, ...rules, if_not_exists: "create" });
  const headers = configurableHeaders(call.request.headers, deps.configurableHeaders);
  return { body, threadId, assistant, sent: { idempotency: undefined, headers, isKept: true } };
}

/** Text is for a conversation; a graph without one is asked with data. */
async function checkText(
  deps: MethodDeps,
  { graph, config }: RunAssistant,
  { parts }: SentMessage,
): Promise<void> {
  if (parts.every(({ kind }) => kind !== "text")) return;
  const { input_schema } = await deps.inspector.schemas(graph, { configurable: { ...config.configurable } });
  const properties = input_schema?.["properties"];
  if (!isJsonObject(properties) || "messages" in properties) return;
  throw new RpcError("params", "parts: the agent's input has no messages for text; send a data part");
}

async function taskNamed(
  deps: MethodDeps,
  { call, assistant: { assistant_id } }: Asking,
  taskId: string,
  access: RunAccess,
): Promise<FoundTask> {
  try {
    return await findTask(deps, call.caller, { assistant_id, taskId, ...access });
  } catch (error) {
    if (error instanceof AppError && error.code === "not_found")
      throw new RpcError("taskNotFound", error.message);
    throw error;
  }
}

const READING: RunAccess = { to: "read" };

export async function getTask(
  deps: MethodDeps,
  asking: Asking,
  id: string,
  historyLength?: number | null,
): Promise<Task> {
  return taskOf(await taskNamed(deps, asking, id, READING), historyLength);
}

/** Stops what is going on, and waits until it has stopped, as long as the invocation can. */
export async function cancelTask(deps: MethodDeps, asking: Asking, id: string): Promise<Task> {
  const { run, scope } = await taskNamed(deps, asking, id, { to: "cancel", action: "interrupt" });
  if (isFinal(run.status)) throw new RpcError("notCancelable", `Task '${id}' is not being worked on`);
  await asking.call.hold();
  await cancelRuns(deps, { scope, runIds: [run.run_id] }, "interrupt");
  await awaitEnd(deps, run, asking.call.invocation);
  return taskOf(await recordOf(deps, run.run_id));
}

/** Leaves the run to a worker. */
export async function sendInBackground(deps: MethodDeps, { call }: Asking, asked: Asked): Promise<Task> {
  const { run_id } = await createAs(deps, call, asked);
  return taskOf(await recordOf(deps, run_id));
}

/** Waits as long as the invocation can; a task that takes longer is still worked on, and asked for later. */
export async function sendAndWait(
  deps: MethodDeps,
  started: Started,
  historyLength: number | null | undefined,
): Promise<Task> {
  const { watched } = started;
  try {
    await untilEnd(deps, watched, NEVER, async (signal) => {
      await watched.executing;
      for await (const _ of deps.engine.follow(watched.run, Number.MAX_SAFE_INTEGER, signal)) continue;
    });
  } catch (error) {
    if (!(error instanceof StreamCut)) throw error;
  }
  return taskOf(await recordOf(deps, watched.run.run_id), historyLength);
}

const NEVER = new AbortController().signal;

/** The task, its answer as it grows where the model tells it, and its end. */
export async function streamTask(
  deps: MethodDeps,
  { watched, after }: Started,
  gone: AbortSignal,
  write: (result: object, signal?: AbortSignal) => ReturnType<WriteFrame>,
): Promise<void> {
  const { history: _, ...begun } = taskOf(await recordOf(deps, watched.run.run_id), 0);
  await write({ ...begun, status: { ...begun.status, state: "working", message: undefined } });
  const { id: taskId, contextId } = begun;
  const update = { kind: "artifact-update", taskId, contextId };
  let last = { id: "", text: "" };
  await untilEnd(deps, watched, gone, async (signal) => {
    for await (const event of deps.engine.follow(watched.run, after, signal)) {
      const { id, text } = saidBy(event);
      if (text === "") continue;
      const append = id === last.id; // another message takes the place of the one before
      const artifact = { artifactId: artifactId(taskId), parts: [{ kind: "text", text }] };
      await write({ ...update, artifact, append }, signal);
      last = { id, text: append ? last.text + text : text };
    }
    await watched.executing;
    if (signal.aborted) return;
    const { artifacts = [], status } = taskOf(await recordOf(deps, watched.run.run_id), 0);
    for (const artifact of artifacts) {
      const [part] = artifact.parts;
      // What has come in pieces is not told again, unless it was not the answer after all.
      if (part?.kind === "text" && part.text === last.text) continue;
      await write({ ...update, artifact, append: false, lastChunk: true }, signal);
    }
    await write({ kind: "status-update", taskId, contextId, status, final: true }, signal);
  });
}

/** What the agent says: a whole message, or a piece of one. */
function saidBy({ event, data }: RunEvent): { readonly id: string; readonly text: string } {
  const pair: unknown = event === "messages" ? JSON.parse(data) : undefined;
  const message: unknown = Array.isArray(pair) ? pair[0] : undefined;
  if (!isJsonObject(message) || message["type"] !== "ai") return { id: "", text: "" };
  return { id: String(message["id"]), text: messageText(message["content"]) };
}

/** Of a run that the caller has just asked for, or stopped. */
async function recordOf(deps: MethodDeps, runId: string): Promise<TaskRun> {
  const run = await deps.runs.get(runId, EVERYTHING);
  if (run === null) throw new RpcError("taskNotFound", `Task '${runId}' was deleted meanwhile`);
  return taskRunOf(deps, run, EVERYTHING);
}
