/** The Agent2Agent protocol, 0.3, as the hosted server speaks it: JSON-RPC for each assistant, and its agent card. */

import { getAssistant } from "../core/assistants.ts";
import { findRunAssistant } from "../core/run-assistants.ts";
import { AppError } from "../errors.ts";
import {
  cancelTask,
  getTask,
  sendAndWait,
  sendInBackground,
  streamTask,
  toAsked,
  type Asking,
} from "./a2a-methods.ts";
import {
  CardQuery,
  RPC_ERRORS,
  RpcAnswer,
  RpcError,
  RpcRequest,
  SendParams,
  TaskParams,
  type RpcId,
} from "./a2a-schemas.ts";
import { agentCard, type CardDeps } from "./a2a-card.ts";
import type { AssistantRouteDeps } from "./assistant-route.ts";
import { requireLevel } from "./authenticate.ts";
import { parse, readJson } from "./body.ts";
import { StreamEvent } from "./event-docs.ts";
import { lateJson } from "./late-json.ts";
import { readQuery } from "./query.ts";
import { json, publicError } from "./respond.ts";
import type { Call, Route } from "./router.ts";
import { start, type RunsDeps } from "./runs-create.ts";
import { bufferFrames, eventStream, SSE_HEADERS, StreamCut, type WriteFrame } from "./sse.ts";
import { z } from "zod";

export type A2aDeps = AssistantRouteDeps & RunsDeps & CardDeps;

export function a2aRoutes(deps: A2aDeps): readonly Route[] {
  const common = { authLevel: deps.authLevel, isRateLimited: true };
  const errors = {
    401: "A function key is missing, or the caller has not signed in",
    403: "The function key does not open this, or the caller may not do it",
    404: "There is no such assistant",
    422: "A field is not what was expected",
    429: "Too many requests; see Retry-After",
    503: "The database cannot be reached",
  };
  return [
    {
      ...common,
      method: "POST",
      path: "/a2a/{assistant_id}",
      permission: "assistants:read",
      handle: answerA2a(deps),
      docs: {
        operationId: "a2a",
        summary: "Send an assistant messages, and ask for its tasks, by the Agent2Agent protocol",
        tag: "a2a",
        body: RpcRequest,
        responses: {
          200: {
            description: "The answer; an event stream of such for message/stream",
            schema: RpcAnswer,
            others: { "text/event-stream": StreamEvent },
          },
          ...errors,
        },
      },
    },
    {
      ...common,
      method: "GET",
      path: "/.well-known/agent-card.json",
      permission: "assistants:read",
      handle: async (call) => {
        const { assistant_id } = await readQuery(call.request, CardQuery);
        const assistant = await getAssistant(deps, call.caller, assistant_id);
        const { authLevel } = deps.graphs.get(assistant.graph_id);
        requireLevel(authLevel, call.invocation.authLevel);
        return json(agentCard(deps, call, assistant));
      },
      docs: {
        operationId: "agent_card",
        summary: "Get the A2A agent card of the assistant that the query names",
        tag: "a2a",
        query: CardQuery,
        responses: {
          200: { description: "The card", schema: z.looseObject({ name: z.string(), url: z.url() }) },
          ...errors,
        },
      },
    },
  ];
}

function answerA2a(deps: A2aDeps): Route["handle"] {
  return async (call) => {
    const { assistant_id = "" } = call.params;
    await call.caller.authorize("assistants:read", { assistant_id });
    const assistant = await findRunAssistant(deps, call.caller, assistant_id);
    requireLevel(assistant.graph.authLevel, call.invocation.authLevel);
    let id: RpcId = null;
    try {
      const request = RpcRequest.safeParse(await readJson(call.request, deps.limits));
      if (!request.success) throw new RpcError("request", "The body is no request of JSON-RPC 2.0");
      id = request.data.id;
      return await answerMethod(deps, { call, assistant }, request.data);
    } catch (error) {
      return json(failure(deps, id, error));
    }
  };
}

async function answerMethod(
  deps: A2aDeps,
  asking: Asking,
  { id, method, params }: z.output<typeof RpcRequest>,
): Promise<Response> {
  switch (method) {
    case "message/send":
    case "message/stream":
      return send(deps, asking, id, { params: await parse(SendParams, params, ["params"]), method });
    case "tasks/get": {
      const { id: taskId, historyLength } = await parse(TaskParams, params, ["params"]);
      return json(success(id, await getTask(deps, asking, taskId, historyLength)));
    }
    case "tasks/cancel": {
      const { id: taskId } = await parse(TaskParams, params, ["params"]);
      return json(success(id, await cancelTask(deps, asking, taskId)));
    }
    default:
      throw new RpcError("method", `There is no method '${method}'`);
  }
}

interface Sending {
  readonly params: z.output<typeof SendParams>;
  readonly method: "message/send" | "message/stream";
}

async function send(deps: A2aDeps, asking: Asking, id: RpcId, sending: Sending): Promise<Response> {
  const { message, configuration } = sending.params;
  if (configuration?.pushNotificationConfig != null)
    throw new RpcError("pushNotifications", "Push notifications are not supported");
  const asked = await toAsked(deps, asking, message);
  if (sending.method === "message/stream") return stream(deps, asking.call, id, asked);
  if (configuration?.blocking === false)
    return json(success(id, await sendInBackground(deps, asking, asked)));
  const started = await start(deps, asking.call, asked, "join");
  const answer = async (): Promise<object> => {
    try {
      return success(id, await sendAndWait(deps, started, configuration?.historyLength));
    } catch (error) {
      return failure(deps, id, error);
    }
  };
  if (deps.streaming === "buffered") return json(await answer());
  const headers = { "content-type": "application/json", "cache-control": "no-store" };
  return new Response(
    lateJson(deps.clock, answer, () => undefined),
    { headers },
  );
}

async function stream(
  deps: A2aDeps,
  call: Call,
  id: RpcId,
  asked: Parameters<typeof start>[2],
): Promise<Response> {
  const started = await start(deps, call, asked, "stream");
  const gone = new AbortController();
  const produce = async (write: WriteFrame): Promise<void> =>
    streamTask(deps, started, gone.signal, async (result, signal) =>
      write({ event: "message", data: success(id, result) }, signal),
    );
  if (deps.streaming === "live")
    return new Response(
      eventStream(deps.clock, produce, () => gone.abort()),
      { headers: SSE_HEADERS },
    );
  const error = new RpcError("internal", "The stream is too long to be buffered; ask for the task");
  const overflow = [{ event: "message", data: failure(deps, id, error) }];
  const produceAll = async (write: WriteFrame): Promise<void> =>
    produce(write).catch(async (cut: unknown) => {
      if (!(cut instanceof StreamCut)) throw cut;
      const error = new RpcError("internal", "The task is still worked on; ask for it");
      await write({ event: "message", data: failure(deps, id, error) });
    });
  const text = await bufferFrames(produceAll, { maxBytes: deps.maxStreamResponseBytes, overflow });
  return new Response(text, { headers: SSE_HEADERS });
}

function success(id: RpcId, result: object): object {
  return { jsonrpc: "2.0", id, result };
}

/** Errors of the protocol, in JSON-RPC; those of HTTP, such as too many requests, are thrown on. */
function failure({ logger }: A2aDeps, id: RpcId, error: unknown): object {
  if (error instanceof RpcError)
    return { jsonrpc: "2.0", id, error: { code: error.code, message: error.message } };
  if (error instanceof AppError && (error.code === "unavailable" || error.code === "rate_limited"))
    throw error;
  const { code, status, message } = publicError(error, logger);
  const kind = code === "invalid_json" ? "parse" : status < 500 ? "params" : "internal";
  return { jsonrpc: "2.0", id, error: { code: RPC_ERRORS[kind], message } };
}
