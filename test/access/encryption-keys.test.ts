/** Keys that come and go, and what is stored under each of them. */

import { expect, test, vi } from "vitest";
import { countUnencrypted, reencrypt } from "../../src/encryption.ts";
import { readSettings } from "../../src/settings.ts";
import { testDatabase } from "../support/database.ts";
import { columnsWith, FIRST, SECOND, SECRET, serve, tellEverything } from "../support/encryption.ts";
import { startReceiver } from "../support/receiver.ts";
import { clientOf } from "../support/sdk.ts";

test("what was stored before encryption was switched on stays readable, and is encrypted when it changes", async () => {
  await using plain = await serve(undefined);
  const client = clientOf(plain);
  const { thread_id } = await client.threads.create();
  await client.runs.wait(thread_id, "talkative", { input: { text: SECRET } });
  await client.store.putItem(["notes"], "old", { text: SECRET });
  const old = await columnsWith(plain.database, SECRET);
  expect(old).toEqual(
    expect.arrayContaining([
      "langgraph.runs.kwargs",
      'langgraph.threads."values"',
      "public.checkpoint_blobs.blob",
    ]),
  );

  await using server = await serve(FIRST, { local: { databaseUrl: plain.database.url } });
  const later = clientOf(server);
  expect((await later.threads.getState(thread_id)).values).toMatchObject({ text: `${SECRET}!` });
  expect(await later.store.getItem(["notes"], "old")).toMatchObject({ value: { text: SECRET } });
  await later.runs.wait(thread_id, "talkative", { command: { resume: "yes" } });
  expect((await later.threads.get(thread_id)).values).toMatchObject({ text: `${SECRET}! yes` });
  await later.store.putItem(["notes"], "old", { text: SECRET });
  const copy = await later.threads.copy(thread_id);
  await later.threads.delete(thread_id);
  await later.store.deleteItem(["notes"], "from the graph");
  expect(await columnsWith(plain.database, SECRET)).toEqual([]);
  expect((await later.threads.getState(copy.thread_id)).values).toMatchObject({ text: `${SECRET}! yes` });
});

test("a new key in front of the old one encrypts; without the old one, its data is an error that names the key", async () => {
  await using first = await serve(FIRST);
  const { database } = first;
  const local = { databaseUrl: database.url };
  const { thread_id } = await clientOf(first).threads.create();
  await clientOf(first).runs.wait(thread_id, "talkative", { input: { text: "old" } });

  await using rotated = await serve(`${SECOND}, ${FIRST}`, { local });
  const client = clientOf(rotated);
  expect((await client.threads.getState(thread_id)).values).toMatchObject({ text: "old!" });
  const { thread_id: newer } = await client.threads.create();
  await client.runs.wait(newer, "talkative", { input: { text: "new" } });

  for (const keys of [SECOND, undefined]) {
    await using other = await serve(keys, { local });
    const ids = keys === undefined ? [thread_id, newer] : [thread_id];
    for (const id of ids) {
      for (const path of [`/threads/${id}`, `/threads/${id}/state`]) {
        const failed = await other.get(path);
        expect([path, failed.status]).toEqual([path, 500]);
        expect(failed.text).not.toMatch(/aes256gcm|first|second/);
      }
    }
    const logged = other.errors.map(({ fields }) => String(Object(fields).err?.cause ?? Object(fields).err));
    expect(logged.join()).toContain(keys === undefined ? "second" : "first");
    if (keys !== undefined)
      expect((await clientOf(other).threads.getState(newer)).values).toMatchObject({ text: "new!" });
  }
});

test("everything is put under a new key while servers go on, and the old one can go", async () => {
  await using receiver = await startReceiver({ statuses: [500, 500, 204] });
  await using database = await testDatabase();
  const local = { databaseUrl: database.url };
  const threads = [];
  for (const keys of [undefined, FIRST]) {
    await using server = await serve(keys, { local });
    threads.push(await tellEverything(server, receiver.url));
  }
  await receiver.after(2);

  {
    await using server = await serve(`${SECOND},${FIRST}`, { local });
    const client = clientOf(server);
    const work = async (): Promise<void> => {
      for (let run = 1; run <= 10; run += 1) {
        await client.runs.wait(null, "shout", { input: { text: SECRET } });
        await client.store.putItem(["notes"], "from a client", { text: SECRET, run });
      }
    };
    const settings = readSettings({ DATABASE_URL: database.url, ENCRYPTION_KEYS: `${SECOND},${FIRST}` });
    const tables = new Map<string, number>();
    const [, , left] = await Promise.all([
      work(),
      work(),
      reencrypt(settings, ({ table, count }) => void tables.set(table, count)).then(async () =>
        countUnencrypted(settings),
      ),
    ]);
    expect([...left.values()]).toEqual(Array.from(tables, () => 0));
    const empty = [...tables].flatMap(([table, count]) => (count === 0 ? [table] : []));
    expect(empty).toEqual(["langgraph.resume_links"]);
    for (const text of [SECRET, "aes256gcm:first:"])
      expect([text, await columnsWith(database, text)]).toEqual([text, []]);
  }

  await using last = await serve(SECOND, { local });
  const reader = clientOf(last);
  for (const { thread_id, asked, made, copied, assistant } of threads) {
    expect((await reader.threads.getState(thread_id)).values).toMatchObject({ text: `${SECRET}!` });
    expect(JSON.stringify(await reader.threads.getHistory(copied.thread_id))).toContain(SECRET);
    expect((await reader.threads.getState(made)).values).toMatchObject({ text: SECRET });
    expect((await reader.threads.get(thread_id)).values).toMatchObject({ text: `${SECRET}!` });
    expect(await reader.runs.join(thread_id, asked.run_id)).toMatchObject({ text: `${SECRET}!` });
    expect(await reader.assistants.get(assistant.assistant_id)).toMatchObject({
      config: { configurable: { word: `${SECRET} again` } },
    });
  }
  expect(await reader.crons.search()).toMatchObject(
    Array.from({ length: 2 }, () => ({ payload: { input: { text: SECRET } } })),
  );
  expect(await reader.store.getItem(["notes"], "from a client")).toMatchObject({ value: { text: SECRET } });
  await database.query("update langgraph.webhooks set due_at = now() - interval '1 hour'");
  for (const { body } of (await receiver.after(4)).slice(2))
    expect(body).toMatchObject({ values: { text: `${SECRET}!` }, kwargs: { input: { text: SECRET } } });
});

test("a cron, a webhook and a run that do not open keep nothing else from its turn", async () => {
  await using receiver = await startReceiver({ statuses: [500, 204] });
  await using database = await testDatabase();
  const local = { databaseUrl: database.url };
  const soon = { schedule: "0 0 1 1 *", input: { text: SECRET }, onRunCompleted: "keep" } as const;
  {
    await using server = await serve(FIRST, { local });
    const client = clientOf(server);
    await client.crons.create("shout", soon);
    await client.runs.wait(null, "shout", { input: { text: SECRET }, webhook: receiver.url });
    await receiver.after(1);
    await client.threads.create({ threadId: "t" });
    await client.runs.create("t", "shout", { input: { text: SECRET }, afterSeconds: 3_600 });
  }
  await using server = await serve(SECOND, { local });
  const client = clientOf(server);
  const { cron_id } = await client.crons.create("shout", soon);
  await database.query("update langgraph.crons set next_run_date = now() - interval '1 minute'");
  await database.query("update langgraph.webhooks set due_at = now() - interval '1 hour'");
  await database.query(`
    update langgraph.runs set status = 'running', claims = 9, attempt = 9, lease_id = gen_random_uuid(),
      lease_until = now() - interval '1 minute', due_at = now() where thread_id = 't'`);
  await vi.waitFor(
    async () => {
      const fired = await database.query(
        "select status from langgraph.runs where metadata ->> 'cron_id' = $1",
        [cron_id],
      );
      expect(fired).toEqual([{ status: "success" }]);
      expect(await database.query("select status from langgraph.runs where thread_id = 't'")).toEqual([
        { status: "error" },
      ]);
      expect(
        await database.query("select due_at > now() as later, last_error from langgraph.webhooks"),
      ).toEqual([{ later: true, last_error: expect.stringContaining('under the key "first"') }]);
    },
    { timeout: 20_000, interval: 50 },
  );
  expect(receiver.received).toHaveLength(1);
  expect(server.warnings).toContainEqual(
    expect.objectContaining({
      message: "A cron made no run",
      fields: expect.objectContaining({ reason: expect.stringContaining('under the key "first"') }),
    }),
  );
});
