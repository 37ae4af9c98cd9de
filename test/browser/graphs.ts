import { AIMessage, type BaseMessage, HumanMessage } from "@langchain/core/messages";
import { FakeListChatModel } from "@langchain/core/utils/testing";
import { interrupt, MessagesAnnotation, START, StateGraph } from "@langchain/langgraph";

/** Says back what it heard, letter by letter. */
export const echoing = new StateGraph(MessagesAnnotation)
  .addNode("speak", async ({ messages }) => {
    const model = new FakeListChatModel({ responses: [`You said ${lastText(messages)}`] });
    return { messages: [await model.invoke(messages)] };
  })
  .addEdge(START, "speak")
  .compile();

/** Asks before it speaks. */
export const asking = new StateGraph(MessagesAnnotation)
  .addNode("ask", () => ({ messages: [new AIMessage(`Answered ${String(interrupt({ ask: "really?" }))}`)] }))
  .addEdge(START, "ask")
  .compile();

/** Says one word, and the other when the test lets it. */
export function halting() {
  let open = (): void => undefined;
  const opened = new Promise<void>((resolve) => (open = resolve));
  const graph = new StateGraph(MessagesAnnotation)
    .addNode("begin", async ({ messages }) => ({ messages: [await say("Wait", messages)] }))
    .addNode("end", async ({ messages }) => {
      await opened;
      return { messages: [await say("Done", messages)] };
    })
    .addEdge(START, "begin")
    .addEdge("begin", "end")
    .compile();
  return { graph, open };
}

async function say(word: string, messages: BaseMessage[]): Promise<BaseMessage> {
  return new FakeListChatModel({ responses: [word] }).invoke(messages);
}

function lastText(messages: readonly BaseMessage[]): string {
  return messages.findLast((message) => HumanMessage.isInstance(message))?.text ?? "";
}
