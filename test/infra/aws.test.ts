/** What Terraform says of `infra/aws`: `infra/aws/tests` has what holds between its resources. */

import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { readSettings } from "../../src/settings.ts";
import { openModule, run, type TerraformModule } from "../support/terraform.ts";

const here = fileURLToPath(new URL("../../infra/aws/", import.meta.url));
let module: TerraformModule;
let plans: ReadonlyMap<string, readonly Resource[]>;

/** Each with the settings of the copy that its provider can check. */
beforeAll(async () => {
  module = await openModule("infra/aws", "aws", {
    version: "6.29.0",
    files: ["url-invoke.tf"],
    variables: ["runtime=nodejs22.x"],
  });
}, 300_000);
afterAll(async () => module[Symbol.asyncDispose]());

test("is formatted", { timeout: 120_000 }, async () => {
  await run(here, ["fmt", "-check", "-diff", "-recursive", "-no-color"]);
});

test("is valid, as the provider's schema has it", { timeout: 300_000 }, async () => {
  expect(await module.terraform(["validate", "-no-color"])).toContain("The configuration is valid");
});

const Resource = z
  .object({
    type: z.string(),
    name: z.string(),
    index: z.union([z.string(), z.number()]).optional(),
    change: z.object({ after: z.record(z.string(), z.unknown()) }),
  })
  .transform(({ change, ...address }) => ({ ...address, values: change.after }));
type Resource = z.output<typeof Resource>;

const TestLine = z.object({
  "@testrun": z.string().optional(),
  test_plan: z.object({ resource_changes: z.array(Resource) }).optional(),
  test_summary: z.object({ status: z.string(), skipped: z.int() }).optional(),
});

test("each variable refuses what is wrong", { timeout: 300_000 }, async () => {
  const tests = ["test", "-no-color", "-filter=tests/variables.tftest.hcl", ...module.variables];
  expect(await module.terraform(tests)).toMatch(/Success! \d+ passed, 0 failed\./);
});

describe("as it would be applied", () => {
  beforeAll(async () => {
    const tests = ["test", "-json", "-verbose", "-filter=tests/relations.tftest.hcl", ...module.variables];
    const lines = (await module.terraform(tests))
      .trim()
      .split("\n")
      .map((line) => TestLine.parse(JSON.parse(line)));
    expect(lines.find(({ test_summary }) => test_summary)?.test_summary).toMatchObject({
      status: "pass",
      skipped: 0,
    });
    plans = new Map(
      lines.flatMap(({ "@testrun": name = "", test_plan: plan }) =>
        plan ? [[name, plan.resource_changes]] : [],
      ),
    );
    expect([...plans.keys()]).toEqual(["external", "aurora", "aurora_with_nat", "changed"]);
  }, 300_000);

  test.each(["external", "aurora"])("%s: each policy names what it allows", (run) => {
    const tooMuch = statements(run).filter(
      ({ Effect, Action, Resource: resources }) =>
        Effect === "Allow" && (resources.includes("*") || Action.some((action) => action.includes("*"))),
    );
    // What only looks at networks has no ARN that could be named.
    expect(tooMuch.map(({ Sid }) => Sid)).toEqual(run === "aurora" ? Array(3).fill("SeeNetwork") : []);
  });

  test("only the worker takes messages, each function sends them, and http counts them for /status", () => {
    expect(
      Object.fromEntries(
        ["http", "worker", "schedule"].map((name) => [name, actionsOf("external", `langgraph-${name}`)]),
      ),
    ).toEqual({
      http: ["logs:CreateLogStream", "logs:PutLogEvents", "sqs:SendMessage", "sqs:GetQueueAttributes"],
      worker: [
        "logs:CreateLogStream",
        "logs:PutLogEvents",
        "sqs:SendMessage",
        "sqs:ReceiveMessage",
        "sqs:DeleteMessage",
        "sqs:GetQueueAttributes",
      ],
      schedule: ["logs:CreateLogStream", "logs:PutLogEvents", "sqs:SendMessage"],
    });
    expect(actionsOf("external", "langgraph-scheduler")).toEqual(["lambda:InvokeFunction"]);
  });

  test("a function signs in to its own database, as its own user", () => {
    const connect = statements("aurora").filter(({ Action }) => Action.includes("rds-db:connect"));
    expect(connect.flatMap(({ Resource: resources }) => resources)).toEqual(
      Array(3).fill("arn:aws:rds-db:eu-central-1:123456789012:dbuser:cluster-MOCKED/langgraph"),
    );
  });

  test("each role is assumed by its service alone", () => {
    const trust = resourcesOf("external", "aws_iam_role").map(({ name, values }) => {
      const { Statement } = Trust.parse(JSON.parse(String(values["assume_role_policy"])));
      return [name, Statement.map(({ Principal }) => Principal.Service)];
    });
    expect(Object.fromEntries(trust)).toEqual({
      function: ["lambda.amazonaws.com"],
      scheduler: ["scheduler.amazonaws.com"],
    });
  });

  test("has the defaults of the code", () => {
    const { RUN_QUEUE_URL, FUNCTION_KEY, OPENAI_API_KEY, ...variables } = environmentOf("external", "http");
    const unset = Object.fromEntries(Object.keys(variables).map((name) => [name, undefined]));
    const { DATABASE_URL } = variables;
    expect(readSettings(variables)).toEqual(readSettings({ ...unset, DATABASE_URL }));
    expect({ RUN_QUEUE_URL, FUNCTION_KEY, OPENAI_API_KEY }).toEqual({
      RUN_QUEUE_URL: "https://sqs.eu-central-1.amazonaws.com/123456789012/langgraph-runs",
      FUNCTION_KEY: "0123456789abcdef",
      OPENAI_API_KEY: "sk-test",
    });
  });

  test("the settings of an Aurora are those that the code takes", () => {
    const { NODE_EXTRA_CA_CERTS, NODE_OPTIONS, AWS_USE_DUALSTACK_ENDPOINT, ...variables } = environmentOf(
      "aurora",
      "worker",
    );
    expect(readSettings(variables).database).toMatchObject({ timeoutMs: 45_000 });
    expect({ NODE_EXTRA_CA_CERTS, NODE_OPTIONS, AWS_USE_DUALSTACK_ENDPOINT }).toEqual({
      NODE_EXTRA_CA_CERTS: "/var/runtime/ca-cert.pem",
      NODE_OPTIONS: "--dns-result-order=ipv6first",
      AWS_USE_DUALSTACK_ENDPOINT: "true",
    });
  });

  test("nothing but functions reaches the database, and nothing reaches functions", () => {
    const ingress = resourcesOf("aurora", "aws_vpc_security_group_ingress_rule");
    expect(
      ingress.map(({ values }) => [values["from_port"], values["to_port"], values["cidr_ipv4"]]),
    ).toEqual([[5432, 5432, null]]);
    expect(resourcesOf("aurora", "aws_rds_cluster_instance")[0]?.values["publicly_accessible"]).not.toBe(
      true,
    );
  });
});

test.each([
  ["external", ["-var=database_url=postgres://ada:secret@db.example/agents"]],
  [
    "aurora",
    [
      "-var=database=aurora",
      "-var=aurora_version=17.5", // else AWS is asked for the minor version, and for the zones
      '-var=availability_zones=["eu-central-1a", "eu-central-1b"]',
    ],
  ],
])("%s: the provider plans it", { timeout: 300_000 }, async (_name, variables) => {
  await writeFile(join(module.folder, "offline_override.tf"), OFFLINE);
  const plan = ["plan", "-refresh=false", "-input=false", "-lock=false", "-no-color"];
  const given = ["-var=package=versions.tf", ...module.variables, ...variables];
  expect(await module.terraform([...plan, ...given])).toMatch(/Plan: \d+ to add, 0 to change, 0 to destroy/);
});

/** Without an account: nothing is asked of AWS by a plan of what is not there yet. */
const OFFLINE = `
provider "aws" {
  region                      = "eu-central-1"
  access_key                  = "none"
  secret_key                  = "none"
  skip_credentials_validation = true
  skip_requesting_account_id  = true
  skip_metadata_api_check     = true
}
`;

const list = z
  .union([z.string(), z.array(z.string())])
  .transform((value) => (typeof value === "string" ? [value] : value));
const Policy = z.object({
  Statement: z.array(
    z.object({ Sid: z.string(), Effect: z.enum(["Allow", "Deny"]), Action: list, Resource: list }),
  ),
});
const Trust = z.object({
  Statement: z.array(z.object({ Principal: z.strictObject({ Service: z.string() }) })),
});

function resourcesOf(run: string, type: string): readonly Resource[] {
  return plans.get(run)?.filter((resource) => resource.type === type) ?? [];
}

function statements(run: string, role?: string): z.output<typeof Policy>["Statement"] {
  return resourcesOf(run, "aws_iam_role_policy")
    .filter(({ values }) => role === undefined || values["name"] === role)
    .flatMap(({ values }) => Policy.parse(JSON.parse(String(values["policy"]))).Statement);
}

function actionsOf(run: string, role: string): readonly string[] {
  return statements(run, role).flatMap(({ Action }) => Action);
}

const Environment = z.tuple([z.object({ variables: z.record(z.string(), z.string()) })]);

function environmentOf(run: string, name: string): Record<string, string> {
  const found = resourcesOf(run, "aws_lambda_function").find(({ index }) => index === name);
  return Environment.parse(found?.values["environment"])[0].variables;
}
