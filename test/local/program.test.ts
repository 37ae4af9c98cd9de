import { execFile } from "node:child_process";
import { access } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, describe, expect, test } from "vitest";
import { testDatabase } from "../support/database.ts";
import { launch, runProgram, startProgram, testFolder } from "../support/program.ts";
import { say } from "./conversation.ts";
import { askHealth, freePort, gateTo, listenAnywhere } from "./network.ts";

/** For what needs a folder, and does not care who has used it before. */
const used = await testFolder();
afterAll(async () => used[Symbol.asyncDispose]());

const bash = async (line: string, env: NodeJS.ProcessEnv = process.env): Promise<string> =>
  (await promisify(execFile)("bash", ["-c", line], { env })).stdout;

function throughGate(databaseUrl: string, { port }: { readonly port: number }): string {
  const url = new URL(databaseUrl);
  url.port = String(port);
  return url.href;
}

const curlLine = (output: string): string => /^ +(curl .+)$/m.exec(output)?.[1] ?? "none";

describe("a start", () => {
  test("tells where it is, what is registered, and how to call it", async () => {
    await using program = await startProgram({ folder: used });
    expect(program.output()).toContain(`documentation    ${program.url}/docs`);
    expect(program.output()).toContain("embedded Postgres in ");
    expect(program.output()).toMatch(/Graphs\n  chat +An assistant.+\n  approval .+\n  digest .+\n/);
    const health = await fetch(`${program.url}/health`);
    expect(await health.json()).toMatchObject({
      status: "ok",
      graphs: [{ name: "chat" }, { name: "approval" }, { name: "digest" }],
    });
  });

  test("prints a line for curl that works when pasted", async () => {
    await using program = await startProgram({ folder: used });
    expect(JSON.parse(await bash(curlLine(program.output())))).toMatchObject({
      output: { messages: [{}, {}] },
    });
  });

  test("with keys, prints a line that takes the key from the shell", async () => {
    const env = { FUNCTION_KEY: "not to be printed" };
    await using program = await startProgram({ folder: used, env });
    expect(program.output()).not.toContain(env.FUNCTION_KEY);
    expect(await bash(curlLine(program.output()))).toContain('"unauthorized"');
    expect(await bash(curlLine(program.output()), { ...process.env, ...env })).toContain('"output"');
  });

  test("answers what it was asked before it was ready", async () => {
    await using database = await testDatabase();
    await using gate = await gateTo(new URL(database.url));
    const port = await freePort();
    const env = { PORT: String(port), DATABASE_URL: throughGate(database.url, gate) };
    await using program = launch({ folder: used, env });
    await gate.reached;
    const asked = await askHealth(port);
    gate.open();
    expect(await asked.closed).toContain("HTTP/1.1 200 OK");
    await program.serving();
  });

  test("that fails refuses what it was asked before it failed", async () => {
    await using gate = await gateTo(new URL("postgres://127.0.0.1:1"));
    const port = await freePort();
    const env = { PORT: String(port), DATABASE_URL: `postgres://127.0.0.1:${gate.port}/none` };
    await using program = launch({ folder: used, env });
    await gate.reached;
    const asked = await askHealth(port);
    gate.shut();
    expect(await asked.closed).toContain("HTTP/1.1 503 Service Unavailable");
    expect(await program.exit).toBe(1);
  });

  test("that is interrupted leaves nothing behind", async () => {
    await using database = await testDatabase();
    await using gate = await gateTo(new URL(database.url));
    await using program = launch({ folder: used, env: { DATABASE_URL: throughGate(database.url, gate) } });
    await gate.reached;
    program.kill("SIGINT");
    gate.open();
    expect(await program.exit).toBe(0);
  });

  test("of many at once in one folder makes one Postgres, which the last to go stops", async () => {
    await using folder = await testFolder();
    const programs = [launch({ folder }), launch({ folder }), launch({ folder })];
    await Promise.all(programs.map(async (program) => program.serving()));
    for (const program of programs) program.kill("SIGINT");
    expect(await Promise.all(programs.map(async (program) => program.exit))).toEqual([0, 0, 0]);
    expect(await folder.postgres()).toBeUndefined();
  });
});

test("what is due much later keeps no program from ending, and does not come at once", async () => {
  await using database = await testDatabase();
  await using program = await startProgram({ folder: used, env: { DATABASE_URL: database.url } });
  const days = 30; // more than a timer of Node can wait
  const created = await fetch(`${program.url}/runs`, {
    method: "POST",
    body: JSON.stringify({
      assistant_id: "chat",
      input: { messages: [{ role: "user", content: "Good morning." }] },
      after_seconds: days * 86_400,
    }),
  });
  expect(created.status).toBe(200);
  program.kill("SIGINT");
  expect(await program.exit).toBe(0);
  expect(program.output()).not.toContain("Warning");
  expect(await database.query("select status, claims from langgraph.runs")).toEqual([
    { status: "pending", claims: 0 },
  ]);
});

describe("a start that cannot be", () => {
  test("--help tells the options and variables, and starts nothing", async () => {
    const { code, output } = await runProgram({ folder: used, args: ["--help"] });
    expect(code).toBe(0);
    for (const word of ["--fresh", "--port", "--host", "DATABASE_URL", "LOG_LEVEL"])
      expect(output).toContain(word);
    expect(output).not.toContain("Serving");
  });

  test.for([
    ["--frsh", "Unknown option '--frsh'"],
    ["fresh", "Unexpected argument 'fresh'"],
    ["--port", "Option '--port <value>' argument missing"],
  ])("%s: %s", async ([argument = "", message = ""]) => {
    const { code, output } = await runProgram({ folder: used, args: [argument] });
    expect(code).toBe(1);
    expect(output).toMatch(new RegExp(`^${message}.*\n"npm start -- --help" lists the options.\n$`));
  });

  test("a taken port is named, and no Postgres starts", async () => {
    await using folder = await testFolder();
    await using taken = await listenAnywhere();
    const { code, output } = await runProgram({ folder, env: { PORT: String(taken.port) } });
    expect(code).toBe(1);
    expect(output).toBe(
      `Port ${taken.port} is taken. Stop what uses it, or choose another one: PORT=${taken.port + 1} npm start\n`,
    );
    await expect(access(join(folder.path, ".langgraph-functions"))).rejects.toThrow("ENOENT");
  });

  test("a database that is not there is named, and what to do; its password is not", async () => {
    const port = await freePort();
    const env = { DATABASE_URL: `postgres://ada:secret@127.0.0.1:${port}/agents` };
    const { code, output } = await runProgram({ folder: used, env });
    expect(code).toBe(1);
    expect(output).toBe(
      `The database (127.0.0.1:${port}/agents) cannot be reached: ECONNREFUSED. Start it, or correct DATABASE_URL; without DATABASE_URL there is an embedded one.\n`,
    );
  });

  test("a database that refuses is named, with its own words", async () => {
    await using database = await testDatabase();
    const url = new URL(database.url);
    url.password = "wrong";
    const { code, output } = await runProgram({ folder: used, env: { DATABASE_URL: url.href } });
    expect(code).toBe(1);
    expect(output).toBe(
      `The database (${url.host}${url.pathname}) cannot be used. password authentication failed for user "postgres"\n`,
    );
  });

  test("all settings that are wrong are listed, before anything starts", async () => {
    await using folder = await testFolder();
    const env = {
      PORT: "abc",
      LOG_LEVEL: "x",
      DATABASE_POOL_SIZE: "0",
      DATABASE_URL: "mysql://ada:secret@host/db",
    };
    const { code, output } = await runProgram({ folder, env });
    expect(code).toBe(1);
    for (const name of Object.keys(env)) expect(output).toContain(`  ${name}: must be `);
    expect(output).not.toMatch(/secret| at .+:\d+/);
    await expect(access(join(folder.path, ".langgraph-functions"))).rejects.toThrow("ENOENT");
  });

  test("--fresh does not empty what another server uses, or what is not embedded", async () => {
    await using program = await startProgram({ folder: used });
    await say(program, "My name is Ada.", "kept");
    const refused = await runProgram({ folder: used, args: ["--fresh"] });
    expect(refused).toMatchObject({
      code: 1,
      output: expect.stringMatching(/^The process \d+ uses the data in /),
    });
    expect(await say(program, "What is my name?", "kept")).toBe("Your name is Ada.");

    const env = { DATABASE_URL: "postgres://127.0.0.1/other" };
    const elsewhere = await runProgram({ folder: used, args: ["--fresh"], env });
    expect(elsewhere).toMatchObject({
      code: 1,
      output: expect.stringContaining("empties the embedded Postgres only"),
    });
  });
});
