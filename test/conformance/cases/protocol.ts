import { Client, type ThreadStream } from "@langchain/langgraph-sdk";
import { type Case, type CaseContext, collect } from "../case.ts";

/** A thread's stream never ends, so that nothing of it is written down but what the case returns. */
function open({ url, id }: CaseContext, assistantId: string): ThreadStream & AsyncDisposable {
  const client = new Client({ apiUrl: url, callerOptions: { maxRetries: 0 } });
  const thread = client.threads.stream(id("thread"), { assistantId });
  return Object.assign(thread, { [Symbol.asyncDispose]: async () => thread.close() });
}

export const protocol: readonly Case[] = [
  {
    name: "protocol: a run",
    run: async (context) => {
      await using thread = open(context, "steps");
      await thread.run.start({ input: { text: "a" } });
      return [await collect(thread.values), await thread.output];
    },
  },
  {
    name: "protocol: messages",
    run: async (context) => {
      await using thread = open(context, "talker");
      const texts: string[] = [];
      const messages = thread.messages[Symbol.asyncIterator]();
      await thread.run.start({ input: { messages: [{ role: "user", content: "hello", id: "question" }] } });
      for (let next = await messages.next(); next.done !== true; next = await messages.next())
        texts.push(await next.value.text);
      return texts;
    },
  },
  {
    name: "protocol: an interrupt and its answer",
    run: async (context) => {
      await using thread = open(context, "asker");
      await thread.run.start({ input: { text: "a" } });
      await thread.output;
      const asked = thread.interrupts.map(({ payload, namespace }) => ({ payload, namespace }));
      const [first] = thread.interrupts;
      const subscription = await thread.subscribe(["values"]);
      await thread.input.respond({
        namespace: [],
        interrupt_id: String(first?.interruptId),
        response: "yes",
      });
      for await (const { params } of subscription)
        if (JSON.stringify(params.data).includes('"a yes"')) return [asked, params.data];
      return asked;
    },
  },
  {
    name: "protocol: a run that no command started is not told of",
    run: async (context) => {
      const threadId = context.id("thread");
      await context.client.threads.create({ threadId });
      await using thread = open(context, "steps");
      const subscription = await thread.subscribe(["values"]);
      await context.client.runs.wait(threadId, "steps", { input: { text: "unseen" } });
      await thread.run.start({ input: { text: "a" } });
      const seen: unknown[] = [];
      for await (const { params } of subscription) {
        seen.push(params.data);
        if (JSON.stringify(params.data).includes('"a, first, second"')) break;
      }
      return seen;
    },
  },
];
