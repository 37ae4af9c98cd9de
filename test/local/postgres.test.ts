import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { startEmbeddedPostgres, type EmbeddedPostgres } from "langgraph-functions/local";
import { Client } from "pg";
import { expect, test } from "vitest";
import { takeTurn } from "../../src/local/lock.ts";
import { testFolder } from "../support/program.ts";

const start = async (folder: string, options: { readonly fresh?: boolean } = {}): Promise<EmbeddedPostgres> =>
  startEmbeddedPostgres({
    folder,
    binaries: process.env["POSTGRES_BINARIES"],
    settings: { fsync: "off" },
    ...options,
  });

async function answers({ url }: EmbeddedPostgres): Promise<unknown> {
  const client = new Client({ connectionString: url });
  await client.connect();
  const { rows } = await client.query<{ n: number }>("select 1 as n");
  await client.end();
  return rows;
}

test("apps in one process share the Postgres of a folder, which the last to go stops, and none empties", async () => {
  await using folder = await testFolder();
  const data = join(folder.path, ".langgraph-functions");
  const first = await start(data);
  folder.note(`embedded Postgres in ${first.folder}`);
  const second = await start(data);
  expect(second.url).toBe(first.url);
  await second[Symbol.asyncDispose]();
  await second[Symbol.asyncDispose]();
  expect(await answers(first)).toEqual([{ n: 1 }]);
  await expect(start(data, { fresh: true })).rejects.toThrow(`The process ${process.pid} uses the data`);
  expect(await answers(first)).toEqual([{ n: 1 }]);
  await first[Symbol.asyncDispose]();
  expect(await folder.postgres()).toBeUndefined();
});

test("of many who find the lock of a process that was killed, one at a time has it", async () => {
  await using folder = await testFolder();
  const file = join(folder.path, "lock");
  for (let round = 0; round < 5; round += 1) {
    await writeFile(file, "2147483646 killed");
    let holders = 0;
    const most = await Promise.all(
      Array.from({ length: 8 }, async () => {
        await using _turn = await takeTurn(file);
        holders += 1;
        const seen = holders;
        await readFile(file, "utf8"); // fails when somebody else has taken it away
        holders -= 1;
        return seen;
      }),
    );
    expect(Math.max(...most)).toBe(1);
  }
  await expect(readdir(folder.path)).resolves.toEqual([]);
});
