/** `useStream` of the SDK, which speaks the first protocol. */

import type { Checkpoint, Message } from "@langchain/langgraph-sdk";
import { useStream } from "@langchain/langgraph-sdk/react";
import { type ReactNode, useState } from "react";
import { address, apiUrl, Chat, rememberThread, show } from "./chat.tsx";

function Page(): ReactNode {
  const [threadId, setThreadId] = useState(address("thread") ?? null);
  const stream = useStream<{ messages: Message[] }>({
    apiUrl,
    assistantId: address("assistant") ?? "",
    threadId,
    onThreadId: (id) => {
      setThreadId(id);
      rememberThread(id);
    },
    reconnectOnMount: true,
    fetchStateHistory: true,
  });
  const say = (content: string, checkpoint?: Checkpoint | null): void =>
    void stream.submit(
      { messages: [{ type: "human", content }] },
      { streamResumable: true, ...(checkpoint === undefined ? {} : { checkpoint }) },
    );
  return (
    <Chat
      messages={stream.messages.map(({ id, type, content }) => ({
        id,
        type,
        text: typeof content === "string" ? content : JSON.stringify(content),
      }))}
      isLoading={stream.isLoading}
      question={stream.interrupt?.value}
      error={stream.error}
      say={say}
      answer={(resume) => void stream.submit(undefined, { command: { resume } })}
      sayInstead={(index, text) => {
        const message = stream.messages[index];
        if (message === undefined) return;
        say(text, stream.getMessagesMetadata(message, index)?.firstSeenState?.parent_checkpoint);
      }}
    />
  );
}

show(<Page />);
