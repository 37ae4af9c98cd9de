import { afterAll, beforeAll, expect, test, vi } from "vitest";
import {
  buildWorker,
  diaryDatabase,
  executions,
  lapse,
  startWorker,
  type WorkerProgram,
} from "../support/processes.ts";

let program: WorkerProgram;
beforeAll(async () => (program = await buildWorker()));
afterAll(async () => program[Symbol.asyncDispose]());

const patience = { timeout: 90_000, interval: 50 };

test("a run that another process takes over goes on for the same user, with that user's part of the store", async () => {
  await using database = await diaryDatabase();
  const env = { USERS: "yes" };
  await using first = await startWorker(program, database.url, env);
  const started = await Promise.all(
    ["ada", "bob"].map(async (user) => {
      const body = { assistant_id: "whose", input: { text: `${user}s note` }, if_not_exists: "create" };
      const { status, runId } = await first.post(`/threads/${user}/runs`, body, { "x-user": user });
      expect(status).toBe(200);
      return { user, run: `/threads/${user}/runs/${runId}` };
    }),
  );
  await vi.waitFor(
    async () =>
      expect((await executions(database.query)).toSorted()).toEqual([
        "keep finished",
        "keep finished",
        "tell null",
        "tell null",
      ]),
    patience,
  );
  await first.kill();
  await lapse(database.query);
  await using second = await startWorker(program, database.url, env);
  await database.query("insert into gates values ('adas note'), ('bobs note')");
  for (const { user, run } of started) {
    await vi.waitFor(
      async () =>
        expect((await second.get(run, { "x-user": user })).body).toMatchObject({ status: "success" }),
      patience,
    );
    const { body } = await second.get(`${run}/join`, { "x-user": user });
    expect(body).toMatchObject({ texts: [user, "some", `${user}s note`] });
    for (const { user: other } of started)
      if (other !== user) expect((await second.get(run, { "x-user": other })).status).toBe(404);
  }
});
