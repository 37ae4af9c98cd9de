import { expect, test } from "vitest";
import { dumpSchema } from "../postgres/catalog.ts";
import { testDatabase } from "../support/database.ts";
import { buildWorker, startWorker } from "../support/processes.ts";

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
