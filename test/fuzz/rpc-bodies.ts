/** The bodies of those operations whose parameters depend on a method, which their schema in the document does not tell. */

import * as fc from "fast-check";
import { messagesOf, oddText, oddValue } from "../support/hostile.ts";
import { graphNames, knownField } from "./known-fields.ts";

type Values = fc.Arbitrary<unknown>;

const known = (name: string): Values => knownField(name, {}) ?? oddValue;
const id = fc.nat(1_000);
const some = (fields: Readonly<Record<string, Values>>): Values => fc.record(fields, { requiredKeys: [] });
const labels = fc.array(oddText, { maxLength: 2 });

const command = fc.oneof(
  ...(
    [
      ["run.start", { assistant_id: graphNames, input: known("input"), metadata: fc.constant({}) }],
      ["input.respond", { interrupt_id: oddText, response: oddValue, namespace: labels }],
      ["state.get", { namespace: labels, keys: labels }],
      ["state.listCheckpoints", { limit: fc.nat(20), before: known("checkpoint_id") }],
      ["state.fork", { checkpoint_id: known("checkpoint_id"), input: known("input") }],
      ["agent.getTree", {}],
      ["input.inject", {}],
    ] as const
  ).map(([method, params]) => fc.record({ id, method: fc.constant(method), params: some(params) })),
  fc.record({ id, method: oddText, params: oddValue }),
);

const part = fc.oneof(
  fc.record({ kind: fc.constant("text"), text: oddText }),
  fc.record({ kind: fc.constant("data"), data: fc.dictionary(oddText, oddValue, { maxKeys: 2 }) }),
  fc.record({ kind: fc.constant("file"), file: some({ uri: oddText, bytes: oddText }) }),
);
const message = fc.record(
  {
    role: fc.constant("user"),
    kind: fc.constant("message"),
    messageId: oddText,
    parts: fc.array(part, { minLength: 1, maxLength: 2 }),
    contextId: known("thread_id"),
    taskId: known("run_id"),
  },
  { requiredKeys: ["role", "messageId", "parts"] },
);
const configuration = some({ blocking: fc.boolean(), historyLength: fc.nat(3) });

function rpc(methods: readonly (readonly [string, Values])[]): Values {
  const common = { jsonrpc: fc.constant("2.0"), id: fc.oneof(id, oddText) };
  return fc.oneof(
    ...methods.map(([method, params]) => fc.record({ ...common, method: fc.constant(method), params })),
    fc.record({ ...common, method: oddText, params: oddValue }),
  );
}

const a2a = rpc([
  ["message/send", fc.record({ message, configuration })],
  ["message/stream", fc.record({ message })],
  ["tasks/get", fc.record({ id: known("run_id"), historyLength: fc.nat(3) })],
  ["tasks/cancel", fc.record({ id: known("run_id") })],
]);

const toolArguments = some({ messages: messagesOf(oddText), text: oddText, value: oddValue });
const mcp = rpc([
  [
    "initialize",
    some({
      protocolVersion: fc.constantFrom("2025-06-18", "x"),
      capabilities: fc.constant({}),
      clientInfo: fc.constant({ name: "x", version: "1" }),
    }),
  ],
  ["tools/list", fc.constant({})],
  ["tools/call", fc.record({ name: graphNames, arguments: toolArguments })],
  ["ping", fc.constant({})],
]);

/** Undefined for an operation whose schema tells all. */
export function rpcBody(operationId: string): Values | undefined {
  return new Map([
    ["protocol_command", command],
    ["a2a", a2a],
    ["mcp", mcp],
  ]).get(operationId);
}
