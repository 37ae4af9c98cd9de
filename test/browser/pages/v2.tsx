/** `useStream` of `@langchain/react`, which speaks the second protocol, and no other. */

import { HumanMessage } from "@langchain/core/messages";
import { type BaseMessage } from "@langchain/core/messages";
import { useMessageMetadata, useStream } from "@langchain/react";
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
  const lastHuman = stream.messages.findLast((message) => message.getType() === "human");
  const metadata = useMessageMetadata(stream, lastHuman?.id);
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
      sayInstead={(_index, text) => {
        const forkFrom = metadata?.parentCheckpointId;
        void stream.submit(
          { messages: [new HumanMessage(text)] },
          forkFrom === undefined ? {} : { forkFrom },
        );
      }}
    />
  );
}

show(<Page />);
