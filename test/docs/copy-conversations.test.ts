/** docs/examples/copy-conversations.ts. The app it reads from is ours here, which speaks the same API as that in Python. */

import { expect, test } from "vitest";
import { copyConversation } from "../../docs/examples/copy-conversations.ts";
import { asking, counter } from "../support/graphs.ts";
import { startServer } from "../support/server.ts";

const graphs = [
  { name: "counter", graph: counter },
  { name: "asking", graph: asking },
];

const say = (content: string) => ({
  input: { messages: [{ role: "user", content }] },
  config: { configurable: { thread_id: "conversation 1" } },
});

test("a conversation goes on here where it ended over there, and is copied once", async () => {
  await using from = await startServer({ graphs });
  await using to = await startServer({ graphs });
  await from.post("/graphs/counter/invoke", say("hi"));
  const conversation = { graph: "counter", threadId: "conversation 1" };
  expect(await copyConversation(from, to, conversation)).toBe("copied");
  const state = "/graphs/counter/threads/conversation%201/state";
  const [there, here] = await Promise.all([from.get(state), to.get(state)]);
  expect(here.body).toMatchObject({ next: [] });
  expect(here.text).toContain("message 1");
  expect(there.text).toContain("message 1");
  expect((await to.post("/graphs/counter/invoke", say("again"))).text).toContain("message 3");
  expect(await copyConversation(from, to, conversation)).toBe("kept");
  expect((await to.get(state)).text).toContain("message 3");
});

test("one that waits for an answer over there is told of, and not copied", async () => {
  await using from = await startServer({ graphs });
  const config = { configurable: { thread_id: "a" } };
  await from.post("/graphs/asking/invoke", { input: { text: "a" }, config });
  expect(await copyConversation(from, from, { graph: "asking", threadId: "a" })).toBe("waits");
});
