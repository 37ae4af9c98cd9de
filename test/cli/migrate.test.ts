import { afterAll, expect, test } from "vitest";
import { testDatabase } from "../support/database.ts";
import { testFolder } from "../support/program.ts";
import { freePort } from "../local/network.ts";
import { cli } from "./cli.ts";

const folder = await testFolder();
afterAll(async () => folder[Symbol.asyncDispose]());

test("a dry run tells what is missing and changes nothing; then each migration is told, once", async () => {
  await using database = await testDatabase({ migrated: false });
  const migrate = async (...more: string[]) =>
    cli({ folder, args: ["migrate", ...more], env: { DATABASE_URL: database.url } });
  const dry = await migrate("--dry-run");
  expect(dry).toMatchObject({
    code: 0,
    output: expect.stringMatching(/: 0 migrations applied, \d+ missing\n/),
  });
  const missing = dry.output.match(/(?<=missing {2})\w+/g);
  expect(missing?.[0]).toBe("0001_threads_and_runs");
  expect(await database.query("select 1 from pg_namespace where nspname = 'langgraph'")).toEqual([]);

  const done = await migrate();
  expect(done.output.match(/(?<=applied {2})\w+/g)).toEqual(missing);
  expect(done.output).toMatch(/The schema is up to date\.\n$/);
  const again = await migrate();
  expect(again).toMatchObject({
    code: 0,
    output: expect.stringMatching(/: \d+ migrations applied, 0 missing\nThe schema is up to date\.\n$/),
  });

  await database.query("insert into langgraph.migrations (version) values (98)");
  expect((await migrate()).output).toMatch(
    /A newer release has applied \d+ more; this one works with them\./,
  );
});

test("without a database, and with one that cannot be reached, it says so", async () => {
  expect(await cli({ folder, args: ["migrate"] })).toMatchObject({
    code: 1,
    output: expect.stringContaining("DATABASE_URL is not set"),
  });
  const port = await freePort();
  const args = ["migrate", "--database-url", `postgres://ada:secret@127.0.0.1:${port}/agents`];
  const { code, output } = await cli({ folder, args });
  expect(code).toBe(1);
  expect(output).toBe(
    `error The database (127.0.0.1:${port}/agents) cannot be reached: ECONNREFUSED. Start it, or correct DATABASE_URL.\n`,
  );
});
