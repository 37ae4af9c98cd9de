/** What no well-meaning client sends, for tests that make requests up. */

import * as fc from "fast-check";

/** Odd, but no text that a database cannot keep. */
export const oddText = fc.oneof(
  fc.string({ unit: "grapheme" }).filter((text) => !text.includes("\u0000")),
  fc.constantFrom(
    "\u202e\ufeff\u2028",
    "__proto__",
    "constructor",
    "prototype",
    "toString",
    "toJSON",
    "__interrupt__",
    "__start__",
    "__end__",
    "__pregel_tasks",
    "' or 1=1; drop table langgraph.runs; --",
    "$(touch /tmp/x); `id` | cat",
    "%s%n%d {0} ${7*7} {{7*7}}",
    "../../etc/passwd",
    "%00",
    "x".repeat(20_000),
  ),
);

export const hostileText = fc.oneof(
  oddText,
  fc.string({ unit: "binary" }),
  fc.constantFrom("\u0000", "a\u0000b", "\ud800", "\udfff\ud800"),
);

/** Objects in LangChain's own format. */
export const langChainRecord = fc.record({
  lc: fc.constantFrom(1, 2),
  type: fc.constantFrom("constructor", "secret", "not_implemented", "undefined", "delta_snapshot"),
  id: fc.constantFrom(["langchain_core", "messages", "HumanMessage"], ["Error"], ["nowhere"], [], "PATH"),
  kwargs: fc.constantFrom({ content: "x" }, {}, null),
  args: fc.constantFrom([[]], ["x"], null),
});

export const messagesOf = (text: fc.Arbitrary<string>) =>
  fc.array(
    fc.oneof(
      {
        weight: 1,
        arbitrary: fc.record(
          {
            role: fc.constantFrom("user", "ai", "system", "tool", "remove", "developer", "nobody", null),
            content: fc.oneof(text, fc.constantFrom(7, null, {}, [{ type: "text", text: "x" }], [null])),
            id: fc.constantFrom("1", 7, null, {}),
            tool_calls: fc.constantFrom([{ name: "x", args: {}, id: "1" }], [null], {}, "x"),
            tool_call_id: fc.constantFrom("1", 7, null),
          },
          { requiredKeys: ["role", "content"] },
        ),
      },
      { weight: 1, arbitrary: fc.tuple(fc.constantFrom("user", "ai", "nobody"), text) },
      { weight: 6, arbitrary: fc.record({ role: fc.constant("user"), content: text }) },
      { weight: 1, arbitrary: langChainRecord },
      { weight: 1, arbitrary: fc.constantFrom(null, 7, "hi", {}, []) },
    ),
    { maxLength: 3 },
  );

const valuesOf = (text: fc.Arbitrary<string>) =>
  fc.letrec((tie) => ({
    value: fc.oneof(
      { depthSize: "small", withCrossShrink: true },
      { weight: 12, arbitrary: text },
      { weight: 12, arbitrary: fc.constantFrom(null, true, 0, -1, 1.5, 25, 1e308, Number.MAX_SAFE_INTEGER) },
      { weight: 1, arbitrary: langChainRecord },
      { weight: 2, arbitrary: messagesOf(text) },
      { weight: 3, arbitrary: fc.array(tie("value"), { maxLength: 4 }) },
      { weight: 3, arbitrary: fc.dictionary(text, tie("value"), { maxKeys: 4 }) },
    ),
  })).value;

/** Any JSON that a database can keep. */
export const oddValue = valuesOf(oddText);
export const hostileValue = valuesOf(hostileText);
