/** What fields mean, which schemas do not tell: most of their values make sense, so that requests get somewhere. */

import * as fc from "fast-check";
import { messagesOf, oddText, oddValue } from "../support/hostile.ts";
import type { Schema } from "./document.ts";
import { thing, type Kind } from "./things.ts";

type Values = fc.Arbitrary<unknown>;

const mostly = (usual: Values, other: Values): Values =>
  fc.oneof({ weight: 9, arbitrary: usual }, { weight: 1, arbitrary: other });
const things = (kind: Kind): Values =>
  mostly(
    fc.nat(1_000).map((index) => thing(kind, index)),
    oddText,
  );

export const graphNames = fc.constantFrom("echo", "counter", "pausing", "nested", "checked", "unstreamed");
/** Few, so that threads are used again. */
const threadNames = fc.constantFrom("t1", "t2", "t3", "t/4", "t 5", "__proto__", "t'7", "%2e");
const threadIds = fc.oneof({ weight: 5, arbitrary: things("thread") }, { weight: 1, arbitrary: threadNames });
const nodes = fc.constantFrom("echo", "ask", "count", "__start__", "__end__", "nowhere");
const labels = fc.array(mostly(fc.constantFrom("users", "notes", "a"), oddText), {
  minLength: 1,
  maxLength: 3,
});
const input = fc.record(
  { value: oddValue, text: oddValue, messages: messagesOf(oddText) },
  { requiredKeys: [] },
);

const FIELDS: Readonly<Record<string, Values>> = {
  // Longer, and who waits for the run would wait.
  after_seconds: fc.constantFrom(0, 0.05, null, -1, "0"),
  assistant_id: fc.oneof(graphNames, things("assistant")),
  as_node: mostly(nodes, oddText),
  before: things("checkpoint"),
  checkpoint_id: things("checkpoint"),
  cron_id: things("cron"),
  end_time: fc.constantFrom("2090-01-01T00:00:00Z", "2090-01-01T00:00:00", null, "2001-01-01T00:00:00Z"),
  goto: mostly(fc.oneof(nodes, fc.array(nodes, { maxLength: 2 })), fc.record({ node: nodes, input })),
  graph_id: mostly(graphNames, oddText),
  input: mostly(input, oddValue),
  interrupt_after: mostly(fc.oneof(fc.constant("*"), fc.array(nodes, { maxLength: 2 })), fc.constant(null)),
  interrupt_before: mostly(fc.oneof(fc.constant("*"), fc.array(nodes, { maxLength: 2 })), fc.constant(null)),
  interrupt_id: oddText,
  key: mostly(fc.constantFrom("k1", "k2", "__proto__"), oddText),
  namespace: labels,
  namespace_prefix: labels,
  prefix: labels,
  run_id: things("run"),
  run_ids: fc.array(things("run"), { maxLength: 3 }),
  schedule: mostly(fc.constantFrom("0 0 1 1 *", "0 12 * * 1-5", "0 0 30 2 *"), oddText),
  thread_id: threadIds,
  thread_ids: fc.array(threadIds, { maxLength: 2 }),
  timezone: mostly(fc.constantFrom("UTC", "Europe/Berlin", "Asia/Kathmandu", null), oddText),
  update: mostly(input, oddValue),
  values: mostly(input, oddValue),
  webhook: mostly(fc.constant(null), fc.constantFrom("http://127.0.0.1:9/", "file:///etc/passwd", "x")),
};

const NAMES = new Map(Object.entries(FIELDS));

/** Undefined for a field that its schema tells all about. */
export function knownField(name: string, { type }: Schema): Values | undefined {
  if (name === "namespace" && type === "string") return oddText;
  return NAMES.get(name);
}
