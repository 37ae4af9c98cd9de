/** `auth` of langgraph.json, and API keys. */

import { Client } from "@langchain/langgraph-sdk";
import { join } from "node:path";
import { expect, test } from "vitest";
import { testDatabase } from "../support/database.ts";
import { startLambda } from "../support/lambda/lambda.ts";
import { cli, graphSource, launchDev, printed, startDev, testProject } from "./cli.ts";

const AUTH = `import { Auth, HTTPException } from "@langchain/langgraph-sdk/auth";

export const auth = new Auth()
  .authenticate((request: Request) => {
    const name = request.headers.get("authorization")?.replace(/^Bearer /, "");
    if (name === undefined) throw new HTTPException(401, { message: "Say who you are" });
    return name;
  })
  .on("threads", ({ value, user }) => {
    if ("metadata" in value) value.metadata = { ...value.metadata, owner: user.identity };
    return { owner: user.identity };
  });
`;
const files = {
  "src/agent.ts": graphSource(
    `({ text }, { configurable }) => ({ text: text + " " + configurable.langgraph_auth_user_id })`,
  ),
  "src/auth.ts": AUTH,
};
const config = { graphs: { agent: "./src/agent.ts:graph" }, auth: { path: "./src/auth.ts:auth" } };

function clientAs(name: string, url: string): Client {
  const defaultHeaders = { authorization: `Bearer ${name}` };
  return new Client({ apiUrl: url, defaultHeaders, callerOptions: { maxRetries: 0 } });
}

/** The private threads of the official documentation. */
async function expectPrivacy(url: string): Promise<void> {
  const [ada, bob] = [clientAs("ada", url), clientAs("bob", url)];
  const { thread_id } = await ada.threads.create();
  expect(await ada.runs.wait(thread_id, "agent", { input: { text: "I am" } })).toEqual({ text: "I am ada" });
  await expect(bob.threads.get(thread_id)).rejects.toThrow("404");
  await expect(bob.runs.wait(thread_id, "agent", { input: { text: "" } })).rejects.toThrow("404");
  const { status } = await fetch(`${url}/threads/search`, { method: "POST", body: "{}" });
  expect(status).toBe(401);
}

test("a project's Auth object decides, in dev and when it is deployed", async () => {
  await using database = await testDatabase();
  await using project = await testProject();
  await project.write({ ...files, "langgraph.json": config });
  {
    await using program = await startDev({ folder: project, env: { DATABASE_URL: database.url } });
    await expectPrivacy(program.url);
  }
  const built = await cli({ folder: project, args: ["build", "--target", "lambda", "--out", "out"] });
  expect(built.code, built.output).toBe(0);
  const env = { DATABASE_URL: database.url };
  await using lambda = await startLambda({
    entry: join(project.path, "out/lambda.js"),
    handler: "http",
    env,
  });
  await expectPrivacy(`${lambda.url}/api`);
});

test("Studio comes in on this machine, unless the project says no", async () => {
  await using database = await testDatabase();
  await using project = await testProject();
  const studio = { "x-auth-scheme": "langsmith", "content-type": "application/json" };
  const statusIn = async (auth: object): Promise<number> => {
    await project.write({ ...files, "langgraph.json": { ...config, auth } });
    await using program = await startDev({ folder: project, env: { DATABASE_URL: database.url } });
    return (await fetch(`${program.url}/threads`, { method: "POST", headers: studio, body: "{}" })).status;
  };
  expect(await statusIn(config.auth)).toBe(200);
  expect(await statusIn({ ...config.auth, disable_studio_auth: true })).toBe(401);
});

test("what is no Auth object is told at once", async () => {
  await using database = await testDatabase();
  await using project = await testProject();
  await project.write({ ...files, "src/auth.ts": "export const auth = {};\n", "langgraph.json": config });
  await using program = launchDev({ folder: project, env: { DATABASE_URL: database.url } });
  await printed(
    program,
    'auth.path cannot be loaded: ./src/auth.ts: the export "auth" must be an Auth object',
  );
});

test("keys are made, listed and revoked", async () => {
  await using database = await testDatabase();
  await using project = await testProject();
  const keys = async (...args: string[]) =>
    cli({ folder: project, args: ["keys", ...args], env: { DATABASE_URL: database.url } });
  const made = await keys("create", "ada", "--permission", "read", "--expires-in", "30");
  expect(made).toMatchObject({ code: 0, output: expect.stringMatching(/lgf_[0-9a-f]{16}_[\w-]{43}/) });
  const [, id = ""] = /lgf_([0-9a-f]{16})_/.exec(made.output) ?? [];
  expect((await keys("list")).output).toMatch(new RegExp(`^${id}  ada  expires .*may: read`, "m"));
  expect((await keys("revoke", id)).code).toBe(0);
  expect((await keys("list")).output).toMatch(new RegExp(`^${id}  ada  revoked`, "m"));
  expect(await keys("revoke", id)).toMatchObject({
    code: 1,
    output: expect.stringContaining("There is no key"),
  });
  expect(await keys("create")).toMatchObject({ code: 2 });
  expect(await keys("create", "ada", "--expires-in", "soon")).toMatchObject({ code: 2 });
});
