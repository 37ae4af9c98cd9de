/** One request of the Model Context Protocol. Import it lazily: only `/mcp` needs the SDK. */

import { Server } from "@modelcontextprotocol/sdk/server/index.js";
import { WebStandardStreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/webStandardStreamableHttp.js";
import {
  CallToolRequestSchema,
  ErrorCode,
  ListToolsRequestSchema,
  McpError,
  type CallToolRequest,
  type CallToolResult,
  type ListToolsResult,
  type ServerNotification,
} from "@modelcontextprotocol/sdk/types.js";
import type { Outcome } from "../core/execution.ts";
import type { Graph } from "../core/graphs.ts";
import { INTERRUPT } from "../core/interrupts.ts";
import { isJsonObject, type JsonObject } from "../core/model.ts";
import { outcomeOf } from "../core/results.ts";
import type { RunAssistant } from "../core/run-assistants.ts";
import { findTool, listTools, type Tool } from "../core/tools.ts";
import { AppError } from "../errors.ts";
import { VERSION } from "../version.ts";
import type { AssistantRouteDeps } from "./assistant-route.ts";
import { opens } from "./authenticate.ts";
import { configurableHeaders } from "./headers.ts";
import { checkRunBody, output } from "./native.ts";
import { publicError } from "./respond.ts";
import type { Call } from "./router.ts";
import { start, type RunsDeps, type Started } from "./runs-create.ts";
import { onGone, untilEnd } from "./runs-response.ts";
import { StatelessRunCreate } from "./runs-schemas.ts";
import { StreamCut } from "./sse.ts";

export type McpDeps = AssistantRouteDeps & RunsDeps;

/** Comments and, for those who ask, notifications: of proxies and clients, each gives up on silence. */
const HEARTBEAT_MS = 5_000;

interface Extra {
  /** Aborted when the client has gone away. */
  readonly signal: AbortSignal;
  readonly sendNotification: (notification: ServerNotification) => Promise<void>;
}

/** A server of its own for each request: what it knows is in the request, and in the database. */
export async function answerMcp(deps: McpDeps, call: Call): Promise<Response> {
  const server = new Server(
    { name: "langgraph-functions", version: VERSION },
    { capabilities: { tools: {} } },
  );
  const answer = onlyOne(deps);
  server.setRequestHandler(ListToolsRequestSchema, async () => answer(async () => list(deps, call)));
  server.setRequestHandler(CallToolRequestSchema, async ({ params }, extra) =>
    answer(async () => callTool(deps, call, params, extra)),
  );
  const transport = new WebStandardStreamableHTTPServerTransport({
    enableJsonResponse: deps.streaming === "buffered",
    keepAliveMs: HEARTBEAT_MS,
    maxRequestBodySize: deps.limits.maxBodyBytes,
  });
  await server.connect(transport);
  const response = await transport.handleRequest(call.request);
  response.headers.set("cache-control", "no-store");
  if (response.body === null) return response;
  return new Response(
    told(response.body, async () => server.close()),
    response,
  );
}

/** The same bytes; `onGone` is told when the reader goes away before their end. */
function told(body: ReadableStream<Uint8Array>, onGone: () => Promise<void>): ReadableStream<Uint8Array> {
  const reader = body.getReader();
  return new ReadableStream<Uint8Array>({
    pull: async (controller) => {
      const { done, value } = await reader.read();
      if (done) controller.close();
      else controller.enqueue(value);
    },
    cancel: async (reason) => {
      await onGone();
      await reader.cancel(reason);
    },
  });
}

/** The SDK still takes batches, which the protocol has no more: each message would be work that no limit counts. */
function onlyOne(deps: McpDeps): <T>(handle: () => Promise<T>) => Promise<T> {
  let isTaken = false;
  return async (handle) => {
    if (isTaken) throw new McpError(ErrorCode.InvalidRequest, "Send each message as a request of its own");
    isTaken = true;
    return answered(deps, handle);
  };
}

/** What a handler throws is the client's to read: of ours, only what it may know. */
async function answered<T>({ logger }: McpDeps, handle: () => Promise<T>): Promise<T> {
  try {
    return await handle();
  } catch (error) {
    if (error instanceof McpError) throw error;
    // Without its cause: what an McpError holds is sent.
    throw new McpError(ErrorCode.InternalError, publicError(error, logger).message);
  }
}

type ToolDocs = ListToolsResult["tools"][number];

async function list(deps: McpDeps, { invocation, caller }: Call): Promise<ListToolsResult> {
  const tools = await listTools(deps, caller, (graph) => opens(invocation.authLevel, graph.authLevel));
  return { tools: await Promise.all(tools.map(async (tool) => shown(deps, tool))) };
}

async function shown({ inspector, logger }: McpDeps, { name, assistant, graph }: Tool): Promise<ToolDocs> {
  let input: JsonObject = {};
  try {
    input = (await inspector.schemas(graph, assistant.config)).input_schema ?? {};
  } catch (error) {
    logger.error({ graph_id: graph.name, err: error }, "A graph does not tell its input; its tool takes any");
  }
  return {
    name,
    ...(assistant.name === name ? {} : { title: assistant.name }),
    ...(assistant.description === null ? {} : { description: assistant.description }),
    inputSchema: { ...input, type: "object" }, // arguments are never anything else
  };
}

/** Whatever goes wrong with a run is the tool's answer, for the agent that called it to read. */
async function callTool(
  deps: McpDeps,
  call: Call,
  { name, arguments: given = {}, _meta: meta }: CallToolRequest["params"],
  { signal, sendNotification }: Extra,
): Promise<CallToolResult> {
  const assistant = await toolAssistant(deps, call, name);
  const beat = async (progress: number): Promise<void> => {
    const progressToken = meta?.progressToken;
    if (progressToken === undefined || signal.aborted) return;
    const told = sendNotification({
      method: "notifications/progress",
      params: { progressToken, progress },
    });
    await told.catch(() => undefined); // the client has just gone
  };
  try {
    const started = await startTool(deps, call, assistant, given);
    const startedAt = deps.clock.now().getTime();
    await beat(0);
    using _ = deps.clock.every(HEARTBEAT_MS, async () =>
      beat(Math.ceil((deps.clock.now().getTime() - startedAt) / 1_000)),
    );
    return await toolResult(started.graph, await outcomeHere(deps, started, signal));
  } catch (error) {
    return failed(publicError(error, deps.logger).message);
  }
}

/** @throws McpError for a tool that does not exist, or not for the caller */
async function toolAssistant(
  deps: McpDeps,
  { invocation, caller }: Call,
  name: string,
): Promise<RunAssistant> {
  try {
    return await findTool(deps, caller, name, (graph) => opens(invocation.authLevel, graph.authLevel));
  } catch (error) {
    if (error instanceof AppError && error.code === "not_found")
      throw new McpError(ErrorCode.InvalidParams, error.message);
    throw error;
  }
}

/** Admitted like any other stateless run. */
async function startTool(
  deps: McpDeps,
  call: Call,
  assistant: RunAssistant,
  input: unknown,
): Promise<Started> {
  const sent = checkRunBody({ assistant_id: assistant.assistant_id, input }, deps.limits);
  const headers = configurableHeaders(call.request.headers, deps.configurableHeaders);
  const body = { ...StatelessRunCreate.parse(sent), on_disconnect: "cancel" as const };
  return start(
    deps,
    call,
    { body, threadId: undefined, assistant, sent: { idempotency: undefined, headers } },
    "join",
  );
}

/** The end of the run, wherever it executes. Nobody can come back for it: when its client goes away, it is stopped. */
async function outcomeHere(deps: McpDeps, { watched }: Started, signal: AbortSignal): Promise<Outcome> {
  const gone = new AbortController();
  const stop = onGone(deps, watched, gone);
  if (signal.aborted) stop();
  signal.addEventListener("abort", stop, { once: true });
  try {
    const end = await untilEnd(deps, watched, gone.signal, async (following) => {
      const outcome = outcomeOf(deps, watched.run, (await watched.executing) ?? null, following);
      return outcome.then(
        (outcome) => ({ outcome }),
        (error: unknown) => ({ error }),
      );
    });
    if ("outcome" in end) return end.outcome;
    throw end.error;
  } catch (error) {
    if (!(error instanceof StreamCut)) throw error;
    const detail = `Run '${watched.run.run_id}' takes longer than a call may; it goes on in the background`;
    throw new AppError("unavailable", detail, { cause: error });
  } finally {
    signal.removeEventListener("abort", stop);
  }
}

async function toolResult(graph: Graph, outcome: Outcome): Promise<CallToolResult> {
  const values = await output(graph, outcome);
  if (outcome.status === "interrupted")
    return failed(`The run waits for an answer, which a tool cannot be given: ${interrupts(values)}`);
  return {
    content: [{ type: "text", text: JSON.stringify(values) }],
    ...(isJsonObject(values) ? { structuredContent: { ...values } } : {}),
  };
}

function interrupts(values: unknown): string {
  return JSON.stringify(isJsonObject(values) ? values[INTERRUPT] : undefined);
}

function failed(message: string): CallToolResult {
  return { content: [{ type: "text", text: message }], isError: true };
}
