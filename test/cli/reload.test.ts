/** What takes longer: a run that was released waits half a minute for somebody to find it. */

import { expect, test } from "vitest";
import { testDatabase } from "../support/database.ts";
import { clientOf } from "../support/sdk.ts";
import { graphSource, printed, startDev, testProject } from "./cli.ts";

const input = { text: "a" };
const graphs = { one: "./src/one.ts:graph", two: "./src/two.ts:graph" };

test(
  "a change in the middle of a run lets the run go on in the next server",
  { timeout: 150_000 },
  async () => {
    await using database = await testDatabase();
    await using project = await testProject();
    const waiting = graphSource(`async ({ text }) => {
    while (!(await there("go"))) await new Promise((done) => setTimeout(done, 20));
    return { text: text + " went on" };
  }`);
    await project.write({ "langgraph.json": { graphs }, "src/one.ts": waiting, "src/two.ts": waiting });
    await using program = await startDev({ folder: project, env: { DATABASE_URL: database.url } });
    const client = clientOf(program);
    const { thread_id } = await client.threads.create();
    const { run_id } = await client.runs.create(thread_id, "one", { input });
    await expect.poll(async () => (await client.runs.get(thread_id, run_id)).status).toBe("running");
    await project.write({ "src/two.ts": `${waiting}\n` });
    await printed(program, /Serving again/);
    await project.write({ go: "" });
    expect(await client.runs.join(thread_id, run_id)).toEqual({ text: "a went on" });
  },
);
