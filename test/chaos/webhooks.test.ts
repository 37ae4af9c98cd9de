import { once } from "node:events";
import { createServer } from "node:http";
import { expect, test, vi } from "vitest";
import { buildWorker, diaryDatabase, startWorker } from "../support/processes.ts";
import { startReceiver } from "../support/receiver.ts";

test("a webhook whose worker is killed while it delivers is delivered by another", async () => {
  await using program = await buildWorker();
  await using database = await diaryDatabase();
  let port = 0;
  {
    await using worker = await startWorker(program, database.url);
    const silent = createServer(); // takes the webhook, and never answers
    silent.listen(0, "127.0.0.1");
    await once(silent, "listening");
    const address = silent.address();
    port = typeof address === "object" ? (address?.port ?? 0) : 0;
    const webhook = `http://127.0.0.1:${port}/`;
    const asked = once(silent, "request");
    await worker.post("/runs", { assistant_id: "quick", input: { text: "a" }, webhook });
    await asked;
    await worker.kill();
    silent.closeAllConnections();
    silent.close();
    await once(silent, "close");
  }
  expect(await database.query("select attempts from langgraph.webhooks")).toEqual([{ attempts: 1 }]);
  await using receiver = await startReceiver({ port });
  await database.query("update langgraph.webhooks set due_at = now() - interval '1 minute'");
  await using _ = await startWorker(program, database.url);
  const [told] = await receiver.after(1);
  expect(told?.body).toMatchObject({ status: "success", values: { texts: ["a"] } });
  await vi.waitFor(async () => expect(await database.query("select from langgraph.webhooks")).toEqual([]), {
    timeout: 15_000,
  });
  expect(receiver.received).toHaveLength(1);
});
