/** What a client said to a server and was answered, written down so that two servers can be compared. */

import { createParser } from "eventsource-parser";

/** One request with its answer. */
export interface Exchange {
  /** `POST /threads/<id>/runs` */
  readonly request: string;
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** JSON, the frames of a stream, or text. */
  readonly body: unknown;
}

export interface Recorder {
  readonly fetch: typeof fetch;
  /** All exchanges, once their bodies have ended. */
  readonly exchanges: () => Promise<readonly Exchange[]>;
}

/** The headers that are part of the contract. */
const HEADERS = ["content-type", "content-location", "x-pagination-total", "x-pagination-next"];

export function recorder(serverUrl: string): Recorder {
  const written: Promise<Exchange>[] = [];
  return {
    fetch: async (input, init) => {
      const request = new Request(input, init);
      const { pathname, search } = new URL(request.url);
      const path = `${pathname}${search}`.slice(new URL(serverUrl).pathname.replace(/\/$/, "").length);
      const response = await fetch(request);
      const [shown, kept] = response.body === null ? [null, null] : response.body.tee();
      written.push(write(`${request.method} ${path}`, response, kept));
      return new Response(shown, response);
    },
    exchanges: async () => Promise.all(written),
  };
}

async function write(
  request: string,
  response: Response,
  body: ReadableStream<Uint8Array> | null,
): Promise<Exchange> {
  const text = body === null ? "" : await new Response(body).text().catch(() => "cut");
  return {
    request,
    status: response.status,
    headers: Object.fromEntries(
      HEADERS.flatMap((name) => {
        const value = response.headers.get(name);
        return value === null ? [] : [[name, value.split(";")[0] ?? value]];
      }),
    ),
    body: response.headers.get("content-type")?.startsWith("text/event-stream")
      ? framesOf(text)
      : jsonOf(text),
  };
}

function framesOf(text: string): unknown[] {
  const frames: unknown[] = [];
  const parser = createParser({
    onEvent: ({ event = "message", data }) => frames.push({ event, data: jsonOf(data) }),
  });
  parser.feed(text);
  return frames;
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

const ID = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|\b[0-9a-f]{32}\b/g;
const TIME = /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)/g;

/** Without what differs from run to run: ids that a server made, and times. `known` are ids that the client chose. */
export function normalised(value: unknown, known: ReadonlySet<string>): unknown {
  if (typeof value === "string")
    return value.replaceAll(ID, (id) => (known.has(id) ? id : "<id>")).replaceAll(TIME, "<time>");
  if (Array.isArray(value)) return value.map((item) => normalised(item, known));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, item]) => [String(normalised(name, known)), normalised(item, known)]),
  );
}

/** A place where two transcripts differ: `2.body.metadata.created_by`. */
export interface Difference {
  readonly at: string;
  readonly official: unknown;
  readonly ours: unknown;
}

export function differences(official: unknown, ours: unknown, at = ""): Difference[] {
  if (Array.isArray(official) && Array.isArray(ours)) {
    const length = Math.max(official.length, ours.length);
    return Array.from({ length }, (_, index) =>
      differences(official[index], ours[index], join(at, String(index))),
    ).flat();
  }
  if (isRecord(official) && isRecord(ours)) {
    const names = new Set([...Object.keys(official), ...Object.keys(ours)]);
    return [...names].flatMap((name) => differences(official[name], ours[name], join(at, name)));
  }
  return Object.is(official, ours) ? [] : [{ at, official, ours }];
}

function join(at: string, name: string): string {
  return at === "" ? name : `${at}.${name}`;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
