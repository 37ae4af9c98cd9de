/** `useStream` of `@langchain/react`, which speaks the second protocol, and no other. */

import { HumanMessage } from "@langchain/core/messages";
import { type BaseMessage } from "@langchain/core/messages";
import { useStream } from "@langchain/react";
import { type ReactNode, useState } from "react";
import { address, apiUrl, Chat, rememberThread, show } from "./chat.tsx";

function Page(): ReactNode {
  const [threadId, setThreadId] = useState(address("thread") ?? null);
  const stream = useStream<{ messages: BaseMessage[] }>({
    apiUrl,
    assistantId: address("assistant") ?? "",
    threadId,
    onThreadId: (id) => {
      setThreadId(id);
      rememberThread(id);
    },
  });
  /** The hook's own `parentCheckpointId` moves on with each state (SDK 1.12.4); the thread's history tells where it began. */
  const forkPoint = async (messageId: string | undefined): Promise<string | undefined> => {
    const states = await stream.client.threads.getHistory<{ messages?: { id?: string }[] }>(threadId ?? "");
    const first = states.findLast(({ values }) => values.messages?.some(({ id }) => id === messageId));
    return first?.parent_checkpoint?.checkpoint_id ?? undefined;
  };
  const sayInstead = async (index: number, text: string): Promise<void> => {
    const forkFrom = await forkPoint(stream.messages[index]?.id);
    await stream.submit({ messages: [new HumanMessage(text)] }, forkFrom === undefined ? {} : { forkFrom });
  };
  return (
    <Chat
      messages={stream.messages.map((message) => ({
        id: message.id,
        type: message.getType(),
        text: message.text,
      }))}
      isLoading={stream.isLoading}
      question={stream.interrupt?.value}
      error={stream.error}
      say={(text) => void stream.submit({ messages: [new HumanMessage(text)] })}
      answer={(text) => void stream.respond(text)}
      sayInstead={(index, text) => void sayInstead(index, text)}
    />
  );
}

show(<Page />);
