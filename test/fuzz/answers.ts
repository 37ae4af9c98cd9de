/** Sends what the fuzzer has made up, and looks whether the answer is one that the document describes. */

import { Ajv2020, type ValidateFunction } from "ajv/dist/2020.js";
import { createParser } from "eventsource-parser";
import { z } from "zod";
import type { Document, Operation } from "./document.ts";
import type { FuzzedRequest } from "./requests.ts";
import type { Things } from "./things.ts";

/** Against hangs: no answer takes a hundredth of it on a quiet machine. */
const HANG_MS = 30_000;

/** A request as it goes over the wire. */
interface Sent {
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | undefined;
  /** Whether a parameter of its path makes it another path. */
  readonly isStray: boolean;
}

interface Received {
  readonly status: number;
  readonly contentType: string;
  /** Of a stream, what came before its reader went away. */
  readonly text: string;
}

export interface Judge {
  /** @throws Error with the request as a curl command, and what is wrong with its answer */
  readonly judge: (request: FuzzedRequest) => Promise<void>;
  /** How many answers of each status there were. */
  readonly statuses: ReadonlyMap<number, number>;
  /** The operations that have been done. */
  readonly successes: ReadonlySet<string>;
}

export function openJudge(
  url: string,
  document: Document,
  operations: readonly Operation[],
  things: Things,
): Judge {
  const validatorOf = makeValidators(document);
  const byName = new Map(operations.map((operation) => [`${operation.method} ${operation.path}`, operation]));
  const statuses = new Map<number, number>();
  const successes = new Set<string>();
  const judge: Judge["judge"] = async (request) => {
    const sent = toSent(url, request, things);
    const failure = (problem: string): Error => new Error(`${problem}\n${curl(sent)}`);
    const received = await receive(sent, request.patience).catch((error: unknown) => {
      throw failure(`No answer: ${String(error)} ${error instanceof Error ? String(error.cause) : ""}`);
    });
    const { status, text } = received;
    statuses.set(status, (statuses.get(status) ?? 0) + 1);
    const operation = sent.isStray ? undefined : byName.get(`${request.method} ${request.template}`);
    const problem =
      operation === undefined
        ? strayProblem(received)
        : answerProblem(operation, received, (media, schema) =>
            validatorOf(operation, status, media, schema),
          );
    if (problem !== undefined) throw failure(`${status}: ${problem}\n${text.slice(0, 2_000)}`);
    if (operation === undefined || status >= 300) return;
    successes.add(operation.operationId);
    things.learn(parsed(text));
  };
  return { judge, statuses, successes };
}

function toSent(base: string, request: FuzzedRequest, things: Things): Sent {
  const { method, template, parameters, rawParameters, query, headers, body } = request;
  const names = Object.fromEntries(
    Object.entries(parameters).map(([name, value]) => [name, inAddress(things.name(String(value)))]),
  );
  const path = template.replaceAll(/\{(\w+)\}/g, (_, name: string) =>
    rawParameters ? (names[name] ?? "") : encodeURIComponent(names[name] ?? ""),
  );
  const search = new URLSearchParams();
  for (const [name, value] of query)
    for (const one of [things.resolve(value)].flat())
      search.append(inAddress(name), inAddress(typeof one === "string" ? one : JSON.stringify(one)));
  const text = typeof body === "object" ? JSON.stringify(things.resolve(body.value)) : body;
  return {
    method,
    url: `${base}${path}${search.size === 0 ? "" : `?${search.toString()}`}`,
    headers: {
      ...(text === undefined ? {} : { "content-type": "application/json" }),
      ...(template === "/mcp" ? { accept: "application/json, text/event-stream" } : {}),
      ...headers,
    },
    body: text,
    isStray: Object.values(names).some((name) => /^(\.|%2e)*$/i.test(name)),
  };
}

/** Well-formed, and no longer than an address may be. */
function inAddress(text: string): string {
  return text.toWellFormed().slice(0, 500);
}

async function receive({ method, url, headers, body }: Sent, patience: number): Promise<Received> {
  const signal = AbortSignal.timeout(HANG_MS);
  const response = await fetch(url, {
    method,
    headers,
    signal,
    redirect: "manual",
    ...(body === undefined ? {} : { body }),
  });
  const contentType = (response.headers.get("content-type") ?? "").split(";")[0] ?? "";
  const isStream = contentType === "text/event-stream";
  const text = isStream ? await beginning(response, patience) : await response.text();
  return { status: response.status, contentType, text };
}

/** What comes until the reader's patience, or the stream, ends. */
async function beginning(response: Response, patience: number): Promise<string> {
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  if (reader === undefined) return "";
  const timer = setTimeout(() => void reader.cancel().catch(() => undefined), patience);
  let text = "";
  for (let part = await reader.read(); !part.done; part = await reader.read()) text += part.value;
  clearTimeout(timer);
  return text;
}

type IsValid = (media: string, schema: object) => ValidateFunction;

/** Undefined when the document describes the answer. */
function answerProblem(
  { responses }: Operation,
  { status, contentType, text }: Received,
  validatorOf: IsValid,
): string | undefined {
  const described = responses[String(status)];
  if (described === undefined) return "a status that the document does not name";
  if (status >= 500 && status !== 501) return "the server's fault"; // 501 is named for graphs that do not stream
  if (Object.keys(described.content).length === 0)
    return text === "" ? undefined : "a body, where there is none";
  const schema = described.content[contentType]?.schema;
  if (schema === undefined) return `a content type that the document does not name: ${contentType}`;
  const validate = validatorOf(contentType, schema);
  const values =
    contentType === "text/event-stream"
      ? eventsOf(text)
      : [contentType === "application/json" ? parsed(text) : text];
  for (const value of values)
    if (!validate(value))
      return `not what the document describes: ${JSON.stringify(validate.errors?.slice(0, 5))}`;
  return undefined;
}

/** To what there is not. */
function strayProblem({ status, contentType }: Received): string | undefined {
  if (status >= 500) return "the server's fault";
  return status >= 400 && contentType !== "" && contentType !== "application/json"
    ? `an error as ${contentType}`
    : undefined;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Those that came as a whole; their data is JSON. */
function eventsOf(text: string): readonly unknown[] {
  const events: unknown[] = [];
  createParser({
    onEvent: ({ event, data, id }) => {
      JSON.parse(data);
      events.push({ data, ...(event === undefined ? {} : { event }), ...(id === undefined ? {} : { id }) });
    },
  }).feed(text);
  return events;
}

function makeValidators(document: Document) {
  const ajv = new Ajv2020({ strict: false, validateFormats: false });
  ajv.addSchema({ $id: "document", components: document.components });
  const known = new Map<string, ValidateFunction>();
  return ({ operationId }: Operation, status: number, media: string, schema: object): ValidateFunction => {
    const name = `${operationId} ${status} ${media}`;
    const validate = known.get(name) ?? ajv.compile(absolute(schema));
    known.set(name, validate);
    return validate;
  };
}

/** Its references are into the document. */
function absolute(schema: object): object {
  const text = JSON.stringify(schema).replaceAll('"$ref":"#/', '"$ref":"document#/');
  return z.record(z.string(), z.unknown()).parse(JSON.parse(text));
}

function curl({ method, url, headers, body }: Sent): string {
  const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;
  const lines = Object.entries(headers).map(([name, value]) => `-H ${quoted(`${name}: ${value}`)}`);
  const data =
    body === undefined
      ? []
      : [`--data-binary ${quoted(body.length > 20_000 ? `${body.slice(0, 20_000)}…` : body)}`];
  return ["curl", "-i", "-X", method, quoted(url), ...lines, ...data].join(" ");
}
