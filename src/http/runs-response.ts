/** How the Platform's API answers about a run: as a stream that can be taken up again, or with what the run comes to. */

import type { Executed } from "../core/execution.ts";
import { EVERYTHING, type Caller } from "../core/auth.ts";
import type { Graph } from "../core/graphs.ts";
import type { Invocation, RunEvent, RunRef } from "../core/model.ts";
import { resultOf, type RunResult } from "../core/results.ts";
import { cancelRuns } from "../core/runs.ts";
import { askForSign } from "../core/sign-of-life.ts";
import { readState } from "../core/thread-states.ts";
import { AppError } from "../errors.ts";
import { cutSignal, untilCut } from "./cut.ts";
import { lateJson } from "./late-json.ts";
import type { NativeDeps } from "./native.ts";
import { signSignal, type SignOfLife } from "./sign-of-life.ts";
import { bufferFrames, eventStream, SSE_HEADERS, StreamCut, type Frame, type WriteFrame } from "./sse.ts";

export interface Watched {
  readonly run: RunRef;
  /** Who may read the run's thread. */
  readonly caller: Caller;
  readonly invocation: Invocation;
  /** The run's execution in this invocation. */
  readonly executing?: Promise<Executed | null>;
  /** Whether the run is stopped when its client goes away, which it must be allowed to do. */
  readonly cancelOnDisconnect: boolean;
  /** Undefined where the host sees its client leave, or nothing depends on it. */
  readonly sign?: SignOfLife | undefined;
  /** What the client is told of where the run is to be found. */
  readonly headers: Readonly<Record<string, string>>;
}

export interface WatchedStream extends Watched {
  /** The event after which the client wants to go on. */
  readonly after: number;
  /** The frame that comes first; undefined for a client that has it. */
  readonly first: Frame | undefined;
  /** All, if absent. */
  readonly modes?: readonly string[] | undefined;
  /** The parts of the graph, as `node:task` and so on with `|`, empty for the root; all, if absent. */
  readonly namespaces?: readonly string[] | undefined;
}

/** What the run streams, each frame with its id; broken off when the invocation ends before the run does. */
export async function streamRun(deps: NativeDeps, watched: WatchedStream): Promise<Response> {
  const headers = { ...SSE_HEADERS, ...watched.headers };
  const gone = new AbortController();
  const produce = async (write: WriteFrame): Promise<void> => {
    if (watched.first !== undefined) await write(watched.first);
    await untilEnd(deps, watched, gone.signal, async (signal) => {
      for await (const event of deps.engine.follow(watched.run, watched.after, signal)) {
        if (isWanted(event, watched)) await write(toFrame(event), signal);
      }
    });
  };
  if (deps.streaming === "live")
    return new Response(eventStream(deps.clock, produce, onGone(deps, watched, gone)), { headers });
  return new Response(await buffered(deps, produce), { headers });
}

/** A gateway that takes no stream gets its beginning, and an error for the rest. */
async function buffered(
  { maxStreamResponseBytes: maxBytes }: NativeDeps,
  produce: (write: WriteFrame) => Promise<void>,
): Promise<string> {
  const message = `The stream is longer than ${maxBytes} bytes; take it up by its Location`;
  const overflow = [{ event: "error", data: { error: "stream_too_large", message } }];
  return bufferFrames(
    async (write) =>
      produce(write).catch(async () =>
        write({
          event: "error",
          data: { error: "unavailable", message: "The run goes on in the background" },
        }),
      ),
    { maxBytes, overflow },
  );
}

/** What the run comes to: its final values, or `__error__`. Without its graph, only its log can tell. */
export async function awaitRun(
  deps: NativeDeps,
  watched: Watched,
  graph: Graph | undefined,
  here: () => Promise<RunResult | null> = async () => null,
): Promise<Response> {
  const headers = { "content-type": "application/json", "cache-control": "no-store", ...watched.headers };
  const gone = new AbortController();
  const produce = async (): Promise<unknown> =>
    untilEnd(deps, watched, gone.signal, async (signal) => {
      const values = async () => threadValues(deps, watched, graph);
      const result = (await here()) ?? (await resultOf(deps, watched.run, signal, values));
      return result.kind === "failed" ? { __error__: result.error } : result.values;
    });
  if (deps.streaming === "live")
    return new Response(lateJson(deps.clock, produce, onGone(deps, watched, gone)), { headers });
  return Response.json(await produce(), { headers });
}

/** Waits until the run has ended, which it says, or the invocation is about to end. */
export async function awaitEnd(deps: NativeDeps, run: RunRef, invocation: Invocation): Promise<boolean> {
  return untilCut(deps.clock, invocation, async (signal) => {
    for await (const _ of deps.engine.follow(run, Number.MAX_SAFE_INTEGER, signal)) continue;
    return !signal.aborted;
  });
}

/**
 * Reads the run until it has ended or the reader has gone away, and stays until what executes here is done.
 * @throws StreamCut when the invocation ends first, the client is to show that it is there, or the log cannot be read
 */
export async function untilEnd<T>(
  deps: NativeDeps,
  { run, invocation, executing, sign }: Watched,
  gone: AbortSignal,
  read: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const { clock, logger } = deps;
  const over = new AbortController();
  const cut = AbortSignal.any([
    cutSignal(clock, invocation, over.signal),
    signSignal(clock, sign, executing, over.signal),
  ]);
  try {
    const answer = await read(AbortSignal.any([gone, cut]));
    if (cut.aborted && sign !== undefined) await askForSign(deps, run.run_id);
    if (cut.aborted) throw new StreamCut("The run goes on; its client comes back");
    await executing;
    return answer;
  } catch (error) {
    if (error instanceof StreamCut) throw error;
    logger.warn({ run_id: run.run_id, err: error }, "A run cannot be followed; its client comes back");
    throw new StreamCut("The run cannot be followed", { cause: error });
  } finally {
    over.abort();
  }
}

/** Stops reading, and the run if that was wished for. */
export function onGone(
  deps: NativeDeps,
  { run, cancelOnDisconnect }: Watched,
  gone: AbortController,
): () => void {
  return () => {
    gone.abort();
    if (!cancelOnDisconnect || deps.stopping.aborted) return;
    cancelRuns(deps, { scope: EVERYTHING, runIds: [run.run_id] }, "interrupt").catch((error: unknown) =>
      deps.logger.error({ run_id: run.run_id, err: error }, "A run without a client could not be cancelled"),
    );
  };
}

async function threadValues(
  deps: NativeDeps,
  { run, caller }: Watched,
  graph: Graph | undefined,
): Promise<unknown> {
  if (graph === undefined) return null;
  try {
    const { values } = await readState(deps, caller, graph, run.thread_id);
    return deps.toPlain(values);
  } catch (error) {
    if (error instanceof AppError && error.code === "not_found") return null;
    throw error;
  }
}

/** Errors are always wanted; `messages` stands for the three that it consists of. */
function isWanted(
  { event }: RunEvent,
  { modes, namespaces }: Pick<WatchedStream, "modes" | "namespaces">,
): boolean {
  if (event === "error") return true;
  const [name = "", ...namespace] = event.split("|");
  if (namespaces?.includes(namespace.join("|")) === false) return false;
  if (modes === undefined) return true;
  if (name.startsWith("messages/")) return modes.includes("messages");
  return modes.includes(name === "messages" ? "messages-tuple" : name);
}

function toFrame({ seq, event, data }: RunEvent): Frame {
  return { event, data: JSON.parse(data), id: seq };
}
