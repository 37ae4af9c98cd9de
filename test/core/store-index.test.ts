import { expect, test } from "vitest";
import { textsAt } from "../../src/core/store-index.ts";

const value = {
  title: "A",
  size: 2,
  done: false,
  none: null,
  author: { name: "Ada", langs: ["en", "fr"] },
  chapters: [{ text: "one", tags: ["x"] }, { text: "two" }, { other: 1 }],
};

test.each([
  ["$", [JSON.stringify(value)]],
  ["title", ["A"]],
  ["size", ["2"]],
  ["done", ["false"]],
  ["none", []],
  ["nothing", []],
  ["toString", []],
  ["title.length", []],
  ["author.name", ["Ada"]],
  ["author", ['{"name":"Ada","langs":["en","fr"]}']],
  ["author.langs", ['["en","fr"]']],
  ["author.langs[*]", ["en", "fr"]],
  ["author.langs[0]", ["en"]],
  ["author.langs[-1]", ["fr"]],
  ["author.langs[2]", []],
  ["author.langs[x]", []],
  ["author.*", ["Ada", '["en","fr"]']],
  ["chapters[*].text", ["one", "two"]],
  ["chapters[1].text", ["two"]],
  ["chapters[*].tags[*]", ["x"]],
  ["chapters.text", []],
  ["{title,author.name}", ["A", "Ada"]],
  ["author.{name, langs[0]}", ["Ada", "en"]],
])("the path %s finds %j", (path, texts) => {
  expect(textsAt(value, path)).toEqual(texts);
});
