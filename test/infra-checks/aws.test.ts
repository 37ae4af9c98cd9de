/** What `infra/aws` says, the code does, and the documentation promises, side by side. Terraform itself is in test/infra. */

import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { entrySource } from "../../src/cli/entry.ts";
import { KeyEnvironment, LambdaEnvironment } from "../../src/host-settings.ts";
import { Environment } from "../../src/settings.ts";
import { readModule, type HclModule } from "../support/hcl.ts";

let module: HclModule;
beforeAll(async () => {
  module = await readModule("infra/aws");
});

/** Less what only Entra ID needs. */
const { AZURE_CLIENT_ID: _, ...OnLambda } = Environment.shape;
const Read = z.object({ ...OnLambda, ...KeyEnvironment.shape, ...LambdaEnvironment.shape });
const Names = z.record(z.string(), z.unknown());

function local(name: string): Record<string, unknown> {
  return Names.parse(module.locals[name]);
}

function resource(type: string, name: string): Record<string, unknown> {
  const found = module.resources.find((block) => block.type === type && block.name === name);
  return Names.parse(found?.fields);
}

async function text(path: string): Promise<string> {
  return readFile(fileURLToPath(new URL(`../../${path}`, import.meta.url)), "utf8");
}

describe("settings", () => {
  test("the functions have each one that the code reads, and no other", () => {
    const set = [...Object.keys(local("settings")), ...Object.keys(local("wiring"))];
    expect(set.toSorted()).toEqual(Object.keys(Read.shape).toSorted());
  });

  test("each comes from the variable of its name", () => {
    for (const [name, value] of Object.entries(local("settings")))
      expect(value).toMatch(new RegExp(`\\bvar\\.${name.toLowerCase()}\\b`));
  });

  test("each variable has the default of the code", () => {
    const defaults = Object.keys(local("settings")).map((name) => {
      const schema = Read.shape[name as keyof typeof Read.shape];
      const parsed: unknown = schema.parse(undefined);
      return [name, parsed ?? null];
    });
    const variables = Object.keys(local("settings")).map((name) => {
      const value = module.variables.get(name.toLowerCase())?.["default"];
      return [name, value];
    });
    expect(Object.fromEntries(variables)).toEqual({
      ...Object.fromEntries(defaults),
      DATABASE_TIMEOUT_SECONDS: null, // depends on the database: 15 is in the expression
      ENCRYPTION_KEYS: [], // none, too
    });
    expect(local("settings")["DATABASE_TIMEOUT_SECONDS"]).toContain(
      `: ${Environment.shape.DATABASE_TIMEOUT_SECONDS.parse(undefined)})`,
    );
  });

  test("what holds secrets is shown nowhere", () => {
    const secret = /(_key|_keys|_secrets|_url|^environment)$/;
    const shown = [...module.variables].filter(
      ([name, { sensitive }]) => secret.test(name) && name !== "public_url" && sensitive !== true,
    );
    expect(shown.map(([name]) => name)).toEqual([]);
  });
});

test("each variable says what it is, and what has limits is checked", () => {
  const free = new Set([
    "aurora_protected",
    "database_migrate",
    "langgraph_config",
    "layers",
    "alarm_actions",
  ]);
  for (const [name, { description, validation }] of module.variables) {
    expect(description, name).toMatch(/\w.*[.:]/);
    if (!free.has(name)) expect(validation, name).toBeDefined();
  }
});

test("the handlers are those that a built bundle exports", () => {
  const source = entrySource({ kind: "app", file: "app.ts", folder: "." }, "lambda");
  const [, exported = ""] = /export const \{ (.+?) \} = serveOnLambda/.exec(source) ?? [];
  expect(Object.keys(local("functions")).toSorted()).toEqual(exported.split(", ").toSorted());
  expect(resource("aws_lambda_function", "this")["handler"]).toBe("lambda.${each.key}");
});

describe("docs/aws-lambda.md", () => {
  test("has the time-outs of the functions", async () => {
    const docs = await text("docs/aws-lambda.md");
    expect(docs).toMatch(/^\| `schedule` +\| `lambda\.schedule` +\|.+`rate\(1 minute\)`.+\| 60 s +\|$/m);
    expect(local("functions")).toEqual({
      http: { timeout: "${var.http_timeout_seconds}" },
      worker: { timeout: "${var.worker_timeout_seconds}" },
      schedule: { timeout: 60 },
    });
    expect(module.variables.get("worker_timeout_seconds")?.["default"]).toBe(900);
  });

  test("has the settings of the queue", async () => {
    const docs = await text("docs/aws-lambda.md");
    expect(docs).toMatch(/^\| visibility timeout +\| the worker's timeout, and a minute +\|/m);
    expect(docs).toMatch(/^\| `maxReceiveCount` of the redrive policy +\| 5 +\|/m);
    expect(docs).toMatch(/^\| `BatchSize` +\| up to 10 +\|/m);
    const queue = resource("aws_sqs_queue", "runs");
    expect(queue["visibility_timeout_seconds"]).toBe("${var.worker_timeout_seconds + 60}");
    expect(queue["redrive_policy"]).toMatch(/maxReceiveCount += 5/);
    expect(queue["fifo_queue"]).toBeUndefined();
    expect(resource("aws_lambda_event_source_mapping", "runs")["function_response_types"]).toEqual([
      "ReportBatchItemFailures",
    ]);
  });

  test("has the front that streams", async () => {
    expect(await text("docs/aws-lambda.md")).toContain("| Function URL, `RESPONSE_STREAM` ");
    expect(resource("aws_lambda_function_url", "http")["invoke_mode"]).toBe("RESPONSE_STREAM");
  });
});
