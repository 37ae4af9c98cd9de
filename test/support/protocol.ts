/** The event streaming protocol, spoken without any client of ours or others. */

import { z } from "zod";
import { EventSourceParserStream } from "eventsource-parser/stream";

const Envelope = z.object({
  type: z.literal("event"),
  event_id: z.string(),
  seq: z.int(),
  method: z.string(),
  params: z.object({
    namespace: z.array(z.string()),
    timestamp: z.int(),
    node: z.string().optional(),
    data: z.unknown(),
  }),
});
export type ProtocolEvent = z.output<typeof Envelope>;

export const ALL_CHANNELS = [
  "values",
  "updates",
  "messages",
  "tools",
  "lifecycle",
  "input",
  "checkpoints",
  "tasks",
  "custom",
];

/** A server, or an app that is called without one. */
export interface Reached {
  /** Ends with the prefix. */
  readonly url: string;
  readonly fetch?: (request: Request) => Promise<Response>;
}

export interface CommandAnswer {
  readonly status: number;
  readonly body: Readonly<Record<string, unknown>>;
}

const Answer = z.record(z.string(), z.unknown());
let commandId = 0;

/** Sends a command, under a number of its own. */
export async function command(
  server: Reached,
  thread: string,
  method: string,
  params: object = {},
): Promise<CommandAnswer> {
  commandId += 1;
  return sendCommand(server, thread, { id: commandId, method, params });
}

/** Sends a command, under its number. */
export async function sendCommand(
  { url, fetch: send = fetch }: Reached,
  thread: string,
  numbered: { readonly id: number; readonly method: string; readonly params: object },
): Promise<CommandAnswer> {
  const request = new Request(`${url}/threads/${thread}/commands`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(numbered),
  });
  const response = await send(request);
  return { status: response.status, body: Answer.parse(await response.json()) };
}

/** Starts a run. @returns its id */
export async function startRun(server: Reached, thread: string, params: object): Promise<string> {
  const { body } = await command(server, thread, "run.start", params);
  return z.object({ result: z.object({ run_id: z.uuid() }) }).parse(body).result.run_id;
}

export interface EventStream extends AsyncDisposable {
  readonly response: Response;
  /** What has come so far. */
  readonly seen: readonly ProtocolEvent[];
  /** Reads on until an event passes; all that has come by then. Without one, until the stream ends. */
  readonly until: (passes?: (event: ProtocolEvent) => boolean) => Promise<readonly ProtocolEvent[]>;
}

/** Opens a stream of the thread's events: by default of all of them. */
export async function openStream(
  { url, fetch: send = fetch }: Reached,
  thread: string,
  filter: object = {},
): Promise<EventStream> {
  const leave = new AbortController();
  const request = new Request(`${url}/threads/${thread}/stream/events`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ channels: ALL_CHANNELS, ...filter }),
    signal: leave.signal,
  });
  const response = await send(request);
  const seen: ProtocolEvent[] = [];
  const events = read(response);
  return {
    response,
    seen,
    until: async (passes = () => false) => {
      for (let next = await events.next(); next.done !== true; next = await events.next()) {
        seen.push(next.value);
        if (passes(next.value)) break;
      }
      return seen;
    },
    [Symbol.asyncDispose]: async () => leave.abort(),
  };
}

async function* read(response: Response): AsyncGenerator<ProtocolEvent> {
  const frames = response.body
    ?.pipeThrough(new TextDecoderStream())
    .pipeThrough(new EventSourceParserStream());
  for await (const { id, event, data } of frames ?? []) {
    const envelope = Envelope.parse(JSON.parse(data));
    if (id !== envelope.event_id || event !== envelope.method) throw new Error(`${id} ${event}: ${data}`);
    yield envelope;
  }
}

/** Whether the graph itself came to an end with it. */
export function isEnd({ method, params: { namespace, data } }: ProtocolEvent): boolean {
  if (method !== "lifecycle" || namespace.length > 0) return false;
  return ["completed", "failed", "interrupted"].includes(statusOf(data));
}

/** `isEnd` for the run of this number. */
export function isEndOf(count: number): (event: ProtocolEvent) => boolean {
  let ends = 0;
  return (event) => isEnd(event) && (ends += 1) === count;
}

function statusOf(data: unknown): string {
  return z.object({ event: z.string() }).parse(data).event;
}

/** `lifecycle sub started` and the like: what happened where, without ids. */
export function outline(events: readonly ProtocolEvent[]): readonly string[] {
  return events.map(({ method, params: { namespace, data } }) => {
    const place = namespace.map((segment) => segment.split(":")[0]).join("/");
    const status = method === "lifecycle" ? statusOf(data) : "";
    return [method, place, status].filter((word) => word !== "").join(" ");
  });
}

/** The data of a method's events. */
export function dataOf(events: readonly ProtocolEvent[], method: string): readonly unknown[] {
  return events.flatMap((event) => (event.method === method ? [event.params.data] : []));
}

const Requests = z.array(z.object({ interrupt_id: z.string() }));

/** The ids of the interrupts that were asked about. */
export function requestedOf(events: readonly ProtocolEvent[]): readonly string[] {
  return Requests.parse(dataOf(events, "input.requested")).map(({ interrupt_id }) => interrupt_id);
}

/** Runs to the end, or to an interrupt. */
export async function runToEnd(
  server: Reached,
  thread: string,
  params: object,
): Promise<readonly ProtocolEvent[]> {
  const run_id = await startRun(server, thread, params);
  await using stream = await openStream(server, thread);
  const events = await stream.until((event) => isEnd(event) && event.event_id.includes(run_id));
  return events;
}

/** The values of a thread's state. */
export async function stateOf({ url }: Reached, thread: string): Promise<unknown> {
  const response = await fetch(`${url}/threads/${thread}/state`);
  return z.object({ values: z.unknown() }).parse(await response.json()).values;
}

/** A thread's runs, the newest first. */
export async function runsOf({ url }: Reached, thread: string): Promise<readonly unknown[]> {
  const response = await fetch(`${url}/threads/${thread}/runs`);
  return z.array(z.unknown()).parse(await response.json());
}
