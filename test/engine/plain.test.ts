import { Document } from "@langchain/core/documents";
import {
  AIMessage,
  AIMessageChunk,
  HumanMessage,
  ToolMessage,
  coerceMessageLikeToMessage,
} from "@langchain/core/messages";
import { ChatPromptValue } from "@langchain/core/prompt_values";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { toPlain } from "../../src/engine/plain.ts";

test("plain JSON stays what it is", () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      expect(toPlain(value)).toEqual(JSON.parse(JSON.stringify(value)));
    }),
    { seed: 1 },
  );
});

test("the result is a copy", () => {
  const value = { list: [{ number: 1 }] };
  const copy = toPlain(value);
  value.list[0] = { number: 2 };
  expect(copy).toEqual({ list: [{ number: 1 }] });
});

test("a message is flat: its fields, and its type among them", () => {
  expect(toPlain(new HumanMessage({ content: "hi", id: "1", name: "ada" }))).toEqual({
    type: "human",
    content: "hi",
    id: "1",
    name: "ada",
    additional_kwargs: {},
    response_metadata: {},
  });
});

test("a message keeps its tool calls, parts and counts", () => {
  const call = { name: "add", args: { a: 1 }, id: "call-1", type: "tool_call" as const };
  const usage = { input_tokens: 1, output_tokens: 2, total_tokens: 3 };
  const message = coerceMessageLikeToMessage({
    role: "ai",
    content: "hi",
    tool_calls: [call],
    usage_metadata: usage,
  });
  expect(toPlain(message)).toMatchObject({
    type: "ai",
    content: "hi",
    tool_calls: [call],
    usage_metadata: usage,
  });
  const parts = [{ type: "text", text: "hi" }];
  expect(toPlain(new HumanMessage({ content: parts }))).toMatchObject({ type: "human", content: parts });
  expect(toPlain(new AIMessageChunk("par"))).toMatchObject({ type: "ai", content: "par" });
  expect(
    toPlain(new ToolMessage({ content: "3", tool_call_id: "call-1", artifact: { rows: [1n] } })),
  ).toMatchObject({
    type: "tool",
    content: "3",
    tool_call_id: "call-1",
    artifact: { rows: ["1"] },
  });
});

test("messages are found in arrays, objects, maps, sets and each other", () => {
  const flat = expect.objectContaining({ type: "human", content: "hi" });
  const message = new HumanMessage("hi");
  const value = {
    list: [[message]],
    map: new Map([["first", { message }]]),
    set: new Set([message]),
    outer: new AIMessage({ content: "x", additional_kwargs: { inner: message } }),
  };
  expect(toPlain(value)).toEqual({
    list: [[flat]],
    map: { first: { message: flat } },
    set: [flat],
    outer: expect.objectContaining({ type: "ai", additional_kwargs: { inner: flat } }),
  });
});

test("documents and prompts are their own fields, not LangChain's constructors", () => {
  const document = new Document({
    pageContent: "text",
    metadata: { source: "a", message: new HumanMessage("hi") },
  });
  expect(toPlain([document])).toMatchObject([
    { pageContent: "text", metadata: { source: "a", message: { type: "human", content: "hi" } } },
  ]);
  const prompt = toPlain(new ChatPromptValue({ messages: [new HumanMessage("hi")] }));
  expect(prompt).toMatchObject({ messages: [{ type: "human", content: "hi" }] });
  expect(JSON.stringify([toPlain(document), prompt])).not.toMatch(/"lc"|lc_|"constructor"/);
});

test("maps and sets are objects and arrays, in each other too", () => {
  const value = new Map<unknown, unknown>([
    ["a", new Map([["b", new Set([1, new Set([2])])]])],
    [7, "number"],
    ["__proto__", "own"],
  ]);
  expect(toPlain(value)).toEqual(JSON.parse('{"a":{"b":[1,[2]]},"7":"number","__proto__":"own"}'));
});

test.each([
  ["a date", new Date(0), "1970-01-01T00:00:00.000Z"],
  ["no date", new Date(Number.NaN), null],
  ["a bigint", 2n ** 64n, "18446744073709551616"],
  ["not a number", Number.NaN, null],
  ["infinity", [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY], [null, null]],
  ["minus zero", -0, 0],
  ["undefined", undefined, null],
  ["a function", () => 1, null],
  ["a symbol", Symbol("x"), null],
  ["members without a value", { a: undefined, b: () => 1, c: Symbol("x") }, {}],
  ["items without a value", [undefined, () => 1], [null, null]],
  ["an address", new URL("https://example.com/a"), "https://example.com/a"],
  ["an error", new TypeError("wrong"), { name: "TypeError", message: "wrong" }],
  [
    "a class instance",
    new (class Point {
      x = 1;
      #y = 2;
      sum = () => this.#y;
    })(),
    { x: 1 },
  ],
  ["an object without a prototype", Object.assign(Object.create(null), { a: 1 }), { a: 1 }],
  ["what knows its own JSON", { toJSON: () => ({ a: 1n }) }, { a: "1" }],
])("%s becomes what JSON can say", (_what, value, plain) => {
  expect(toPlain(value)).toEqual(plain);
  expect(toPlain({ value: [value] })).toEqual(
    plain === null && (value === undefined || typeof value === "function" || typeof value === "symbol")
      ? { value: [null] }
      : { value: [plain] },
  );
});

test("the members of an error stay inside, its stack above all", () => {
  const error = Object.assign(new Error("outer", { cause: new Error("inner") }), { token: "secret" });
  expect(toPlain({ error })).toEqual({ error: { name: "Error", message: "outer" } });
});

test("the same object twice is no cycle", () => {
  const shared = { a: 1 };
  expect(toPlain([shared, shared, new Map([["x", shared]])])).toEqual([{ a: 1 }, { a: 1 }, { x: { a: 1 } }]);
});

test("a cycle is refused, through maps and sets too", () => {
  const object: Record<string, unknown> = {};
  object["self"] = object;
  const map = new Map<string, unknown>();
  map.set("self", map);
  const set = new Set<unknown>();
  set.add([set]);
  for (const cycle of [object, map, set]) expect(() => toPlain(cycle)).toThrow();
});
