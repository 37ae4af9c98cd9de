import { access } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, describe, expect, test, vi } from "vitest";
import { testDatabase } from "../support/database.ts";
import { readEvents } from "../support/events.ts";
import { startProgram, testFolder } from "../support/program.ts";
import { holdingModel, invoke, say, stream } from "../local/conversation.ts";
import { openConnection } from "../local/network.ts";

/** For what needs a folder, and does not care who has used it before. */
const used = await testFolder();
afterAll(async () => used[Symbol.asyncDispose]());

describe("memory", () => {
  test("outlives a SIGKILL, and the Postgres that it orphans is joined and stopped by the next start", async () => {
    await using folder = await testFolder();
    await using first = await startProgram({ folder });
    await say(first, "My name is Ada.");
    first.kill("SIGKILL");
    expect(await first.exit).toBeNull();
    const orphan = await folder.postgres();
    expect(orphan).toBeDefined();

    await using second = await startProgram({ folder });
    expect(await folder.postgres()).toEqual(orphan);
    expect(await say(second, "What is my name?")).toBe("Your name is Ada.");
    second.kill("SIGTERM");
    expect(await second.exit).toBe(0);
    expect(await folder.postgres()).toBeUndefined();
  });

  test("is empty after --fresh", async () => {
    await using folder = await testFolder();
    await using first = await startProgram({ folder });
    await say(first, "My name is Ada.");
    first.kill("SIGINT");
    await first.exit;
    await using second = await startProgram({ folder, args: ["--fresh"] });
    expect(await say(second, "What is my name?")).toBe("You have not told me your name.");
  });

  test("in another database is kept there", async () => {
    await using database = await testDatabase({ migrated: false });
    await using folder = await testFolder();
    const env = { DATABASE_URL: database.url };
    await using program = await startProgram({ folder, env });
    const { hostname, port, pathname, password } = new URL(database.url);
    expect(program.output()).toContain(`database         ${hostname}:${port}${pathname}\n`);
    expect(program.output()).not.toContain(password);
    await say(program, "My name is Ada.");
    expect(await database.query("select thread_id, status from langgraph.threads")).toEqual([
      { thread_id: "conversation", status: "idle" },
    ]);
    await expect(access(join(folder.path, ".langgraph-functions"))).rejects.toThrow("ENOENT");
  });

  test.runIf(process.getuid?.() === 0)("works for root in a folder that is closed to others", async () => {
    await using folder = await testFolder({ mode: 0o700 });
    for (const [text, reply] of [
      ["My name is Ada.", "Nice to meet you, Ada. I will remember your name in this thread."],
      ["What is my name?", "Your name is Ada."],
    ] as const) {
      await using program = await startProgram({ folder });
      expect(program.output()).toContain("embedded Postgres in /var/tmp/langgraph-functions-");
      expect(await say(program, text)).toBe(reply);
    }
    expect(await folder.postgres()).toBeUndefined();
  });
});

describe("a run that a SIGKILL interrupted", () => {
  test("holds its thread until its lease lapses, is finished by the next server, and then lets others in", async () => {
    await using database = await testDatabase();
    await using model = await holdingModel();
    await using first = await startProgram({
      folder: used,
      env: { ...model.env, DATABASE_URL: database.url },
    });
    const cut = invoke(first, "Think for ever").catch(() => "cut");
    await model.asked;
    first.kill("SIGKILL");
    expect(await cut).toBe("cut");

    await using second = await startProgram({ folder: used, env: { DATABASE_URL: database.url } });
    expect(await invoke(second, "Hello")).toMatchObject({ status: 409, body: { error: "thread_busy" } });
    await database.query("update langgraph.runs set lease_until = now() - interval '1 second'");
    await vi.waitFor(async () => expect(await invoke(second, "Hello")).toMatchObject({ status: 200 }), {
      timeout: 20_000,
    });
    expect(await database.query("select status, claims from langgraph.runs order by position")).toEqual([
      { status: "success", claims: 2 },
      { status: "success", claims: 1 },
    ]);
  });
});

describe("the end", () => {
  test.for(["SIGINT", "SIGTERM", "SIGHUP"] as const)(
    "by %s is clean, and Postgres ends too",
    async (signal) => {
      await using program = await startProgram({ folder: used });
      const postgres = await used.postgres();
      expect(postgres).toBeDefined();
      program.kill(signal);
      expect(await program.exit).toBe(0);
      expect(await used.postgres()).toBeUndefined();
      await expect(openConnection(postgres?.port ?? 0)).rejects.toThrow("ECONNREFUSED");
    },
  );

  test("comes when what is under way has been answered", async () => {
    await using model = await holdingModel();
    await using program = await startProgram({ folder: used, env: model.env });
    const invoked = invoke(program, "Think for ever", "thread-1");
    await model.asked;
    const events = readEvents(await stream(program, "Think for ever"));
    expect(await events.next()).toMatchObject({ value: { event: "data" } });
    program.kill("SIGTERM");

    expect(await invoked).toMatchObject({ status: 503, connection: "close", body: { error: "unavailable" } });
    expect(await events.next()).toMatchObject({ value: { event: "error" } });
    expect(await events.next()).toMatchObject({ value: { event: "end" } });
    expect(await program.exit).toBe(0);
  });

  test("does not wait for ever for a request that is never completed", async () => {
    await using program = await startProgram({ folder: used });
    const socket = await openConnection(Number(new URL(program.url).port));
    socket.send(
      "POST /api/graphs/chat/invoke HTTP/1.1\r\nhost: here\r\ncontent-length: 9\r\nexpect: 100-continue\r\n\r\n{",
    );
    await socket.until("100 Continue");
    program.kill("SIGTERM");
    expect(await program.exit).toBe(0);
  });

  test("of one server leaves the Postgres to the other one in the same folder", async () => {
    await using folder = await testFolder();
    await using first = await startProgram({ folder });
    await using second = await startProgram({ folder });
    const postgres = await folder.postgres();
    await say(second, "My name is Ada.");
    first.kill("SIGINT");
    expect(await first.exit).toBe(0);
    expect(await folder.postgres()).toEqual(postgres);
    expect(await say(second, "What is my name?")).toBe("Your name is Ada.");

    await using third = await startProgram({ folder });
    second.kill("SIGINT");
    expect(await second.exit).toBe(0);
    expect(await folder.postgres()).toEqual(postgres);
    expect(await say(third, "What is my name?")).toBe("Your name is Ada.");
  });
});
