import { AIMessageChunk, ToolMessage } from "@langchain/core/messages";
import { MemorySaver } from "@langchain/langgraph";
import { expect, test } from "vitest";
import { graph } from "../../functions/graphs/chat.ts";

delete process.env["CHAT_MODEL"]; // so that the scripted model answers
graph.checkpointer = new MemorySaver();

const thread = () => ({ configurable: { thread_id: crypto.randomUUID() } });

async function say(content: string, config = thread()) {
  const { messages } = await graph.invoke({ messages: [{ role: "user", content }] }, config);
  return {
    answer: messages.at(-1)?.text,
    tool: messages.findLast((message) => ToolMessage.isInstance(message)),
  };
}

test("a name given in one run is known in the next run of the thread", async () => {
  const config = thread();
  await say("Hi, my name is Ada.", config);
  expect((await say("What is my name?", config)).answer).toBe("Your name is Ada.");
});

test("the name given last is the one that counts", async () => {
  const config = thread();
  await say("My name is Ada", config);
  await say("Sorry, my name is Grace", config);
  expect((await say("What's my name?", config)).answer).toBe("Your name is Grace.");
});

test("a name given in one thread is unknown in another", async () => {
  await say("My name is Ada");
  expect((await say("What is my name?")).answer).toBe("You have not told me your name.");
});

test("the scripted model says that it is one", async () => {
  expect((await say("What is the capital of France?")).answer).toMatch(
    /^I am a scripted model: set OPENAI_API_KEY/,
  );
});

test.each([
  ["Calculate 17 * 23", "391"],
  ["What is 0.1 + 0.2?", "0.3"],
  ["How much is (2 + 3)^2 % 7?", "4"],
  ["Compute sqrt(2) * sqrt(2).", "2"],
])("%s: the calculator says %s", async (question, value) => {
  const { answer, tool } = await say(question);
  expect(tool).toMatchObject({ name: "calculator", content: value, status: "success" });
  expect(answer).toBe(`The calculator says: ${value}`);
});

test("the clock tells the time of a time zone", async () => {
  const { tool } = await say("What time is it in Asia/Tokyo?");
  expect(tool).toMatchObject({ name: "clock", status: "success" });
  expect(tool?.text).toMatch(/GMT\+9$/);
});

test.each([
  ["Calculate 5 +", /unexpected/],
  ["Calculate 1 / 0", /no finite value/],
  ["Calculate x = 5", /./],
  ["Calculate constructor(1)", /./],
  [`Calculate ${"1+".repeat(200)}1`, /schema/],
  ["What time is it in Mars/Olympus?", /Invalid time zone specified: Mars\/Olympus/],
])("%s: the error comes back as a tool message and the run goes on", async (question, problem) => {
  const { answer, tool } = await say(question);
  expect(tool).toMatchObject({ status: "error", content: expect.stringMatching(problem) });
  expect(answer).toMatch(/^That did not work/);
});

test("an answer streams token by token, and the tokens are the answer", async () => {
  const input = { messages: [{ role: "user", content: "My name is Ada" }] };
  const tokens: string[] = [];
  for await (const [chunk] of await graph.stream(input, { ...thread(), streamMode: "messages" })) {
    if (AIMessageChunk.isInstance(chunk)) tokens.push(chunk.text);
  }
  expect(tokens.length).toBeGreaterThan(5);
  expect(tokens.join("")).toBe("Nice to meet you, Ada. I will remember your name in this thread.");
});

test("a tool call streams, then the tool's result, then the words of the answer", async () => {
  const kinds: string[] = [];
  const stream = await graph.stream({ messages: "Calculate 2 + 2" }, { ...thread(), streamMode: "messages" });
  for await (const [chunk] of stream) {
    const kind = AIMessageChunk.isInstance(chunk)
      ? chunk.tool_call_chunks?.length
        ? "call"
        : "word"
      : chunk.type;
    if (kind !== kinds.at(-1)) kinds.push(kind);
  }
  expect(kinds).toEqual(["call", "tool", "word"]);
});
