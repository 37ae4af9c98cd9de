import { expect, test } from "vitest";
import { hidingSecrets, secretsIn } from "../src/secrets.ts";

const SECRET = "correct horse battery"; // with what regular expressions and URLs treat specially below

function loggerOf(...secrets: string[]) {
  const lines: [object, string][] = [];
  const log = (fields: object, message: string) => void lines.push([fields, message]);
  const logger = hidingSecrets({ info: log, warn: log, error: log }, secrets);
  return { logger, last: () => lines.at(-1) };
}

test("what holds no secret is handed on as it is", () => {
  const { logger, last } = loggerOf(SECRET);
  const err = Object.assign(new TypeError("a", { cause: new Error("b") }), { config: { list: [1] } });
  logger.error({ err, n: 1 }, "c");
  expect(last()).toEqual([{ err, n: 1 }, "c"]);
  expect(last()?.[0]).toHaveProperty(
    "err",
    expect.toSatisfy((shown) => shown === err),
  );
});

test("an error that holds one keeps its name, its members and its place", () => {
  const { logger, last } = loggerOf(SECRET, "a.b(c)[d]$");
  const inner = new AggregateError([new Error(`one ${SECRET}`), new Error("two")], "several");
  const err = Object.assign(new TypeError(`a ${SECRET}`, { cause: inner }), {
    code: "E1",
    at: "xa.b(c)[d]$y",
  });
  logger.warn({ err, deep: { list: [SECRET] } }, `message ${SECRET}`);
  const [fields, message] = last() ?? [];
  expect(message).toBe("message [hidden]");
  expect(fields).toMatchObject({
    err: {
      name: "TypeError",
      message: "a [hidden]",
      code: "E1",
      at: "x[hidden]y",
      cause: {
        name: "AggregateError",
        message: "several",
        errors: [{ message: "one [hidden]" }, { message: "two" }],
      },
    },
    deep: { list: ["[hidden]"] },
  });
  expect(fields).toHaveProperty("err", expect.any(Error));
  expect(err.message).toBe(`a ${SECRET}`);
});

test("what is named like a secret is one: headers of a failed request, keys in URLs", () => {
  const { logger, last } = loggerOf();
  const config = { headers: { Authorization: "Bearer x", "X-Api-Key": "x", accept: "*/*" }, max_tokens: 5 };
  logger.info({ config, url: "https://a.example/?a=1&code=abc&b=2" }, "GET /?code=abc");
  expect(last()).toEqual([
    {
      config: {
        headers: { Authorization: "[hidden]", "X-Api-Key": "[hidden]", accept: "*/*" },
        max_tokens: 5,
      },
      url: "https://a.example/?a=1&code=[hidden]&b=2",
    },
    "GET /?code=[hidden]",
  ]);
});

test("the headers of a client's own class are looked through; bytes are not, and no line goes on for ever", () => {
  class Sent {
    readonly Authorization = "Bearer x";
    readonly accept = "*/*";
  }
  const { logger, last } = loggerOf(SECRET);
  const bytes = Buffer.from(SECRET);
  const err = Object.assign(new Error("refused"), { config: { headers: new Sent() }, bytes });
  logger.error({ err }, "a");
  expect(last()?.[0]).toMatchObject({
    err: { config: { headers: { Authorization: "[hidden]", accept: "*/*" } }, bytes },
  });
  const web: Record<string, unknown> = { said: SECRET };
  for (let index = 0; index < 100; index += 1) web[`to-${index}`] = web;
  logger.error({ web }, "a");
  expect(last()?.[0]).toMatchObject({
    web: { said: "[hidden]", "to-0": { said: "[hidden]" }, "to-99": "[hidden]" },
  });
});

test("a setting's secrets are itself, each of several, and the passwords and keys in it", () => {
  expect(secretsIn("postgres://ada:p%40ssword@host/db")).toEqual(
    expect.arrayContaining(["postgres://ada:p%40ssword@host/db", "p%40ssword", "p@ssword"]),
  );
  expect(secretsIn("whsec_aaaaaaaa, whsec_bbbbbbbb")).toEqual(
    expect.arrayContaining(["whsec_aaaaaaaa", "whsec_bbbbbbbb"]),
  );
  expect(secretsIn("AccountName=store;AccountKey=abcdefgh==;EndpointSuffix=x")).toContain("abcdefgh==");
  expect(secretsIn("short")).toEqual([]);
});

test("errors that hold each other come to an end", () => {
  const { logger, last } = loggerOf(SECRET);
  const one = new Error(`one ${SECRET}`);
  one.cause = new Error("two", { cause: one });
  logger.error({ err: one }, "a");
  expect(last()?.[0]).toMatchObject({ err: { message: "one [hidden]" } });
});
