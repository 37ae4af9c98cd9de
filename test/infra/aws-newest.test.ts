/** The provider at hand may be older than the one that users get: this is about the newest on the day this was looked at. */

import { beforeAll, expect, test } from "vitest";
import { readModule, type HclBlock, type HclModule } from "../support/hcl.ts";
import { fetchSchemas, problemsOf } from "../support/provider-schema.ts";

let schemas: string;
let module: HclModule;
beforeAll(async () => {
  schemas = await fetchSchemas("@cdktn/provider-aws", "25.7.0"); // of the provider 6.66
  module = await readModule("infra/aws");
}, 300_000);

test("it knows each argument, and misses none", async () => {
  const problems = [
    ...module.resources.map(async (block) => problemsOf(schemas, block, "resource")),
    ...module.data.map(async (block) => problemsOf(schemas, block, "data")),
  ];
  expect((await Promise.all(problems)).flat()).toEqual([]);
});

test("both permissions of a Function URL are there, and the second is good for nothing else", () => {
  const permissions = module.resources.filter(({ type }) => type === "aws_lambda_permission");
  expect(permissions.map(({ fields }) => [fields["action"], fields["invoked_via_function_url"]])).toEqual(
    expect.arrayContaining([
      ["lambda:InvokeFunctionUrl", undefined],
      ["lambda:InvokeFunction", true],
    ]),
  );
  expect(permissions).toHaveLength(2);
});

const function_: Readonly<Record<string, unknown>> = { function_name: "http", role: "role" };
const lambda = (fields: object): HclBlock => ({
  type: "aws_lambda_function",
  name: "this",
  fields: { ...function_, ...fields },
});

test.each([
  [{ type: "aws_lambda_functions", name: "this", fields: {} }, "there is no such resource"],
  [lambda({ role: undefined }), "role is missing"],
  [lambda({ memory: 512 }), "there is no memory"],
  [lambda({ timeout: "soon" }), "timeout is of type number"],
  [lambda({ layers: "arn" }), "layers is of type string[]"],
  [lambda({ vpc_config: [{ subnet_ids: [] }] }), "vpc_config: security_group_ids is missing"],
  [
    lambda({ dynamic: { logging_config: [{ content: [{ format: "Text" }] }] } }),
    "logging_config: log_format is missing",
  ],
])("it would tell of a mistake: %#", async (block, problem) => {
  expect((await problemsOf(schemas, block, "resource")).join("\n")).toContain(problem);
});
