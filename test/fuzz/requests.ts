/** Requests that are made up from our document: as it asks for them, and spoilt. */

import * as fc from "fast-check";
import { isJsonObject } from "../../src/core/model.ts";
import { hostileText, hostileValue, oddText } from "../support/hostile.ts";
import type { Document, Operation } from "./document.ts";
import { rpcBody } from "./rpc-bodies.ts";
import { valuesOf } from "./schema-values.ts";

export interface FuzzedRequest {
  readonly method: string;
  /** As the document has it. */
  readonly template: string;
  /** Of the path; in percent-encoding if `rawParameters`. */
  readonly parameters: Readonly<Record<string, unknown>>;
  readonly rawParameters: boolean;
  readonly query: readonly (readonly [string, unknown])[];
  readonly headers: Readonly<Record<string, string>>;
  /** Undefined for none; a string is sent as it is. */
  readonly body: { readonly value: unknown } | string | undefined;
  /** After how many milliseconds a stream's reader goes away. */
  readonly patience: number;
}

/** Whatever a client of HTTP agrees to send. */
const headerText = fc
  .oneof(hostileText, fc.constantFrom("0", "-1", "1e9", "99999999999999999999", "*", '"a"', "%0d%0a", "🦊"))
  .filter((text) => /^[\t\u0020-\u007e\u0080-\u00ff]*$/.test(text) && text.length < 4_000);

const hostileHeaders = fc.record(
  {
    "content-type": fc.constantFrom(
      "text/plain",
      "multipart/form-data; boundary=x",
      "application/json; charset=utf-16",
      "",
    ),
    "content-encoding": fc.constantFrom("identity", "identity", "identity", "", "gzip", "nonsense"),
    accept: fc.oneof(
      fc.constantFrom("text/html", "*/*;q=x", "application/json", "text/event-stream"),
      headerText,
    ),
    "idempotency-key": fc.oneof(fc.constantFrom("k1", "k2", "k3"), headerText),
    "if-match": headerText,
    "last-event-id": fc.oneof(fc.constantFrom("-", "1", "0-start"), headerText),
    "mcp-protocol-version": headerText,
    prefer: fc.oneof(fc.constant("return=minimal"), headerText),
    traceparent: headerText,
    "x-functions-key": headerText,
    "x-user": headerText,
    "x-__proto__": headerText,
  },
  { requiredKeys: [] },
);

const headers = fc.oneof({ weight: 3, arbitrary: fc.constant({}) }, { weight: 1, arbitrary: hostileHeaders });

/** How a value is spoilt somewhere. */
const spoiling = fc.record({
  at: fc.nat(1_000),
  how: fc.constantFrom("replace", "remove", "add", "rename"),
  name: hostileText,
  value: hostileValue,
});
type Spoiling = typeof spoiling extends fc.Arbitrary<infer T> ? T : never;

/** Goes down into the value as `at` says, and spoils what it finds there. */
function spoilt(value: unknown, { at, how, ...rest }: Spoiling): unknown {
  const members: readonly (readonly [string, unknown])[] =
    typeof value === "object" && value !== null ? Object.entries(value) : [];
  const index = at % (members.length + 1);
  const chosen = members[index];
  if (chosen === undefined) {
    if (how === "add" && isJsonObject(value)) return { ...value, [rest.name]: rest.value };
    return rest.value;
  }
  const further = Math.floor(at / (members.length + 1));
  const [key, member] = chosen;
  const inDepth: readonly [string, unknown] = [key, spoilt(member, { at: further, how, ...rest })];
  const isHere = further % 2 === 0;
  const put = isHere && how === "rename" ? ([rest.name, member] as const) : inDepth;
  const others = members.toSpliced(index, 1, ...(isHere && how === "remove" ? [] : [put]));
  return Array.isArray(value) ? others.map(([, item]) => item) : Object.fromEntries(others);
}

const rawBody = fc.oneof(
  fc.constantFrom(
    "",
    "null",
    "[".repeat(50_000),
    '{"a":1e999}',
    '{"input":{},"input":7}',
    "{",
    "\u0000",
    `"${"x".repeat(70_000)}"`,
  ),
  fc.json({ maxDepth: 3 }),
);

function bodyOf(document: Document, operation: Operation): fc.Arbitrary<FuzzedRequest["body"]> {
  const schema = operation.requestBody?.content["application/json"]?.schema;
  if (schema === undefined)
    return fc.oneof({ weight: 9, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: rawBody });
  const asked = rpcBody(operation.operationId) ?? valuesOf(document, schema);
  const spoilings = fc.array(spoiling, { minLength: 1, maxLength: 2 });
  return fc.oneof(
    { weight: 12, arbitrary: asked.map((value) => ({ value })) },
    {
      weight: 7,
      arbitrary: fc
        .tuple(asked, spoilings)
        .map(([value, spoilings]) => ({ value: spoilings.reduce<unknown>(spoilt, value) })),
    },
    { weight: 1, arbitrary: rawBody },
    { weight: 1, arbitrary: fc.constant(undefined) },
  );
}

/** Percent-encoded, as a client would hardly write it. */
const rawSegment = fc.constantFrom(
  "%E0%A4%A",
  "%",
  "%00",
  "%2e%2e%2f",
  "..%2f..",
  ";",
  "%ff",
  "%5c",
  "a%0Ab",
  "%ED%A0%80",
);

function requestTo(document: Document, operation: Operation): fc.Arbitrary<FuzzedRequest> {
  const { method, path: template, parameters } = operation;
  const of = (place: string) => parameters.filter((parameter) => parameter.in === place);
  const value = ({ name, schema }: Operation["parameters"][number]): fc.Arbitrary<unknown> =>
    fc.oneof(
      { weight: 8, arbitrary: valuesOf(document, schema, name) },
      { weight: 1, arbitrary: hostileText },
    );
  const rawParameters = of("path").length === 0 ? fc.constant(false) : fc.nat(15).map((one) => one === 15);
  return rawParameters.chain((isRaw) =>
    fc.record({
      method: fc.constant(method),
      template: fc.constant(template),
      rawParameters: fc.constant(isRaw),
      parameters: fc.record(
        Object.fromEntries(of("path").map((one) => [one.name, isRaw ? rawSegment : value(one)] as const)),
      ),
      query: fc
        .tuple(
          ...of("query").map((one) =>
            fc.oneof(
              ...(one.required ? [] : [fc.constant([])]),
              value(one).map((given) => [[one.name, given] as const]),
            ),
          ),
          fc.oneof(
            { weight: 20, arbitrary: fc.constant([]) },
            { weight: 1, arbitrary: fc.tuple(oddText, hostileText).map((pair) => [pair]) },
          ),
        )
        .map((lists) => lists.flat()),
      headers,
      body: method === "GET" ? fc.constant(undefined) : bodyOf(document, operation),
      patience: fc.constantFrom(0, 0, 1, 50, 200),
    }),
  );
}

/** To what the document does not name: methods of its paths, and other paths. */
function strayRequest(operations: readonly Operation[]): fc.Arbitrary<FuzzedRequest> {
  const path = fc.oneof(
    // But for links, whose errors are pages.
    fc.constantFrom(...operations.map(({ path }) => path).filter((path) => !path.startsWith("/resume"))),
    fc
      .tuple(fc.constantFrom("", "/threads", "/runs", "/store", "//threads"), rawSegment)
      .map((parts) => parts.join("/")),
  );
  return fc.record({
    method: fc.constantFrom("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "PROPFIND"),
    template: path.map((path) => path.replaceAll(/[{}]/g, "")),
    rawParameters: fc.constant(true),
    parameters: fc.constant({}),
    query: fc.constant([]),
    headers,
    body: fc.constant(undefined),
    patience: fc.constant(0),
  });
}

export function fuzzedRequest(
  document: Document,
  operations: readonly Operation[],
): fc.Arbitrary<FuzzedRequest> {
  return fc.oneof(
    ...operations.map((operation) => ({ weight: 2, arbitrary: requestTo(document, operation) })),
    { weight: 6, arbitrary: strayRequest(operations) },
  );
}
