/** What `infra/aws` says, the code does, and the documentation promises, side by side. Terraform itself is in test/infra. */

import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { SendMessageCommand, SQSClient } from "@aws-sdk/client-sqs";
import { afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { z } from "zod";
import { entrySource } from "../../src/cli/entry.ts";
import { KeyEnvironment, LambdaEnvironment } from "../../src/host-settings.ts";
import { Environment } from "../../src/settings.ts";
import { readModule, type HclModule } from "../support/hcl.ts";

let module: HclModule;
beforeAll(async () => {
  module = await readModule("infra/aws");
});
afterEach(() => vi.unstubAllEnvs());

const read = new Map(
  Object.entries({ ...Environment.shape, ...KeyEnvironment.shape, ...LambdaEnvironment.shape }),
);
read.delete("AZURE_CLIENT_ID"); // of an identity on Azure
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
    expect(set.toSorted()).toEqual([...read.keys()].toSorted());
  });

  test("each comes from the variable of its name", () => {
    for (const [name, value] of Object.entries(local("settings")))
      expect(value).toMatch(new RegExp(`\\bvar\\.${name.toLowerCase()}\\b`));
  });

  test("each variable has the default of the code", () => {
    const names = Object.keys(local("settings"));
    const defaults = names.map((name) => [name, read.get(name)?.parse(undefined) ?? null]);
    const variables = names.map((name) => [name, module.variables.get(name.toLowerCase())?.["default"]]);
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

test("each function has the role and the log of its own name", () => {
  const { role, logging_config: logging, ...fields } = resource("aws_lambda_function", "this");
  expect([fields["for_each"], role]).toEqual([
    "${local.functions}",
    "${aws_iam_role.function[each.key].arn}",
  ]);
  expect(logging).toMatchObject([{ log_group: "${aws_cloudwatch_log_group.function[each.key].name}" }]);
  expect(resource("aws_iam_role_policy", "function")).toMatchObject({
    for_each: "${local.functions}",
    role: "${aws_iam_role.function[each.key].name}",
    policy: expect.stringContaining("local.statements[each.key]"),
  });
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
    expect(docs).toMatch(/^\| recursive loop detection of `worker` +\| `Allow` +\|/m);
    expect(resource("aws_lambda_function_recursion_config", "worker")["recursive_loop"]).toBe("Allow");
  });

  test("has the front that streams", async () => {
    expect(await text("docs/aws-lambda.md")).toContain("| Function URL, `RESPONSE_STREAM` ");
    expect(resource("aws_lambda_function_url", "http")["invoke_mode"]).toBe("RESPONSE_STREAM");
  });
});

describe("infra/aws/README.md", () => {
  test("names no variable and no output that is not there", async () => {
    const readme = await text("infra/aws/README.md");
    const variables = [...readme.matchAll(/-var (\w+)=|TF_VAR_(\w+)|^(\w+) += |`(\w+) = /gm)].map((names) =>
      names.slice(1).find((name) => name !== undefined),
    );
    const outputs = [...readme.matchAll(/terraform output -raw (\w+)/g)].map(([, name]) => name);
    expect(variables.length).toBeGreaterThan(10);
    expect(variables.filter((name = "") => !module.variables.has(name))).toEqual([]);
    expect(outputs.length).toBeGreaterThan(2);
    expect(outputs.filter((name = "") => !module.outputs.includes(name))).toEqual([]);
  });

  test("has all alarms, and only those that there are", async () => {
    const [, told = ""] = /^## Alarms\n\n(.+)$/m.exec(await text("infra/aws/README.md")) ?? [];
    const names = module.resources
      .filter(({ type }) => type === "aws_cloudwatch_metric_alarm")
      .flatMap(({ fields }) => {
        const name = String(fields["alarm_name"]).replace("${var.name}", "");
        return name.includes("${each.key}")
          ? Object.keys(local("functions")).map((key) => name.replace("${each.key}", key))
          : [name];
      });
    const [list = ""] = told.split(". ");
    expect([...list.matchAll(/`(?:<name>)?(-[\w-]+)`/g)].map(([, name = ""]) => name).toSorted()).toEqual(
      names.toSorted(),
    );
  });
});

test("in a network with IPv6 alone, the queue is reached by an address that has it", async () => {
  const platform = String(module.locals["platform"]);
  expect(platform).toMatch(/AWS_USE_DUALSTACK_ENDPOINT += "true"/);
  vi.stubEnv("AWS_USE_DUALSTACK_ENDPOINT", "true");
  const hosts: string[] = [];
  const client = new SQSClient({
    region: "eu-central-1",
    useQueueUrlAsEndpoint: false, // as ours
    credentials: { accessKeyId: "none", secretAccessKey: "none" },
    requestHandler: {
      handle: async ({ hostname }: { readonly hostname: string }) => {
        hosts.push(hostname);
        return Promise.reject(new Error("no network"));
      },
    },
    maxAttempts: 1,
  });
  await expect(
    client.send(
      new SendMessageCommand({
        QueueUrl: "https://sqs.eu-central-1.amazonaws.com/1/langgraph-runs",
        MessageBody: "{}",
      }),
    ),
  ).rejects.toThrow("no network");
  expect(hosts).toEqual(["sqs.eu-central-1.api.aws"]);
});
