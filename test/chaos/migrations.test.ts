import { expect, test, vi } from "vitest";
import { dumpSchema } from "../postgres/catalog.ts";
import { testDatabase } from "../support/database.ts";
import {
  buildWorker,
  diaryDatabase,
  executions,
  lapse,
  startWorker,
  unsettled,
} from "../support/processes.ts";

const ROUNDS = process.env["CHAOS"] === "long" ? 20 : 3;

test("of two releases that start at once on an empty database, both serve, and the schema is whole", async () => {
  await using newer = await buildWorker();
  await using older = await buildWorker({ former: true });
  await using template = await testDatabase();
  const schema = await dumpSchema(template);
  for (let round = 0; round < ROUNDS; round += 1) {
    await using database = await testDatabase({ migrated: false });
    const starts = [newer, older].map(async (program) => startWorker(program, database.url));
    const [first, second] = await Promise.allSettled(starts);
    if (first?.status === "fulfilled") await first.value.kill();
    if (second?.status === "fulfilled") await second.value.kill();
    expect([first, second]).toMatchObject([{ status: "fulfilled" }, { status: "fulfilled" }]);
    expect(await dumpSchema(database)).toBe(schema);
  }
});

test("a release whose migration leaves no way back goes on where the former one stops, and that is told", async () => {
  await using newer = await buildWorker({ breaking: true });
  await using older = await buildWorker();
  await using database = await testDatabase({ migrated: false });
  await using _newer = await startWorker(newer, database.url);
  await expect(startWorker(older, database.url)).rejects.toThrow("a newer release has used the database");
});

test.for([
  ["older", "newer"],
  ["newer", "older"],
] as const)("a run of the %s release is gone on with by the %s one", async ([begins, goesOn]) => {
  await using newer = await buildWorker();
  await using older = await buildWorker({ former: true });
  const releases = { newer, older };
  await using database = await diaryDatabase();
  const executed = async (nodes: readonly string[]): Promise<void> =>
    vi.waitFor(
      async () => expect((await executions(database.query)).toSorted()).toEqual([...nodes].toSorted()),
      { timeout: 90_000, interval: 50 },
    );
  await using first = await startWorker(releases[begins], database.url);
  const body = { input: { text: "gate" }, config: { configurable: { thread_id: "a" } } };
  await first.post("/graphs/fan/runs", body);
  await executed(["fast finished", "slow null"]);
  await using _second = await startWorker(releases[goesOn], database.url);
  await first.kill();
  await lapse(database.query);
  await database.query("insert into gates values ('gate')");
  await vi.waitFor(async () => expect(await unsettled(database.query)).toEqual([]), {
    timeout: 90_000,
    interval: 50,
  });
  expect((await executions(database.query)).at(-1)).toBe("join finished");
});
