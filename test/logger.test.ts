import { LangGraphApp } from "langgraph-functions";
import { expect, test, vi } from "vitest";
import { openLogger } from "../src/logger.ts";
import { readSettings } from "../src/settings.ts";

function logged(level: string, log: (logger: ReturnType<typeof openLogger>) => void): unknown[] {
  const lines: string[] = [];
  const write = vi.spyOn(process.stdout, "write").mockImplementation((text) => lines.push(String(text)) > 0);
  log(openLogger(level));
  write.mockRestore();
  return lines.map((line): unknown => JSON.parse(line));
}

test("a log line is one JSON object with its level, time and message", () => {
  const [line] = logged("info", ({ warn }) => warn({ run_id: "r1" }, "Slow"));
  expect(line).toEqual({
    level: "warn",
    time: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/) as unknown,
    run_id: "r1",
    msg: "Slow",
  });
});

test("an error is told with what caused it, and without what libraries attach to theirs", () => {
  const cause = Object.assign(new TypeError("no such host"), {
    code: "ENOTFOUND",
    headers: { key: "secret" },
  });
  const [line] = logged("info", ({ error }) =>
    error({ err: new Error("The model cannot be reached", { cause }) }, "Failed"),
  );
  expect(line).toMatchObject({
    err: {
      type: "Error",
      message: "The model cannot be reached",
      stack: expect.stringContaining("logger.test") as unknown,
      cause: { type: "TypeError", message: "no such host", code: "ENOTFOUND" },
    },
  });
  expect(JSON.stringify(line)).not.toContain("secret");
});

test("what cannot be told as JSON does not keep the rest from being told", () => {
  const cycle: Record<string, unknown> = {};
  cycle["self"] = cycle;
  const endless = new Error("a");
  endless.cause = endless;
  const [line] = logged("debug", ({ info }) => info({ cycle, err: endless, run_id: "r1" }, "Odd"));
  expect(line).toMatchObject({
    cycle: expect.stringContaining("circular") as unknown,
    run_id: "r1",
    msg: "Odd",
  });
});

test("below the level that is set, nothing is written", () => {
  const all = (logger: ReturnType<typeof openLogger>): void => {
    logger.info({}, "info");
    logger.warn({}, "warn");
    logger.error({}, "error");
  };
  expect(logged("warn", all)).toHaveLength(2);
  expect(logged("silent", all)).toHaveLength(0);
});

test("what a host reports is logged by the name of its request, and without the app's secrets", () => {
  const lines: object[] = [];
  const log = (fields: object, msg: string): void => void lines.push({ ...fields, msg });
  const app = new LangGraphApp({ logger: { info: log, warn: log, error: log } });
  const settings = readSettings({ DATABASE_URL: "postgres://ada:hush-hush@db.example/agents" });
  app.doors({ settings }).report(new Error("cannot reach hush-hush"), "request-1");
  expect(lines).toMatchObject([
    {
      request_id: "request-1",
      err: { message: "cannot reach [hidden]" },
      msg: "A response could not be sent",
    },
  ]);
});
