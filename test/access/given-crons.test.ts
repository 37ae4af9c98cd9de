import { Annotation, type LangGraphRunnableConfig, START, StateGraph } from "@langchain/langgraph";
import { expect, test } from "vitest";
import { appWithUsers } from "../support/users.ts";

const noting = new StateGraph(Annotation.Root({ text: Annotation<string> }))
  .addNode("note", async ({ text }, { store }: LangGraphRunnableConfig) => {
    await store?.put(["notes"], "note", { text });
    return {};
  })
  .addEdge(START, "note")
  .compile();

test("a cron that was nobody's and is given to a user runs for that user, and no more as the server itself", async () => {
  await using app = await appWithUsers({ graphs: [{ name: "noting", graph: noting }] });
  const cron = {
    assistant_id: "noting",
    schedule: "0 0 1 1 *",
    input: { text: "of the server" },
    on_run_completed: "keep",
    metadata: { user: "ada" },
  };
  expect((await app.system.ask("POST", "/runs/crons", cron)).status).toBe(200);
  await app.database.query(
    `update langgraph.crons set user_id = 'ada', next_run_date = now() - interval '1 minute'
     where user_id is null and metadata @> '{"user": "ada"}'`,
  );
  expect((await app.tick()).fired).toBe(1);
  const status = async () => app.database.query("select status from langgraph.runs");
  await expect.poll(status, { timeout: 20_000 }).toEqual([{ status: "success" }]);
  expect(await app.database.query("select owner from langgraph.threads")).toEqual([{ owner: "ada" }]);
  const note = "/store/items?namespace=notes&key=note";
  expect((await app.system.ask("GET", note)).body).toBeNull();
  expect((await app.as("ada").ask("GET", note)).body).toMatchObject({ value: { text: "of the server" } });
});
