/** What both pages show: the conversation, a question that waits, and what a person can do about them. */

import type { ReactNode } from "react";
import { createRoot } from "react-dom/client";

export interface Conversation {
  readonly messages: readonly {
    readonly id: string | undefined;
    readonly type: string;
    readonly text: string;
  }[];
  readonly isLoading: boolean;
  readonly question: unknown;
  readonly error: unknown;
  readonly say: (text: string) => void;
  readonly answer: (text: string) => void;
  /** Says something else in the place of a message, and goes on from there. */
  readonly sayInstead: (index: number, text: string) => void;
}

export function Chat({ messages, isLoading, question, error, ...actions }: Conversation): ReactNode {
  return (
    <main data-loading={isLoading}>
      <ol>
        {messages.map(({ id, type, text }, index) => (
          <li key={id ?? index} data-type={type}>
            <span>{text}</span>
            {type === "human" && (
              <button onClick={() => actions.sayInstead(index, `${text} instead`)}>edit {index}</button>
            )}
          </li>
        ))}
      </ol>
      {question !== undefined && (
        <p id="question">
          {JSON.stringify(question)} <button onClick={() => actions.answer("yes")}>answer</button>
        </p>
      )}
      {error !== undefined && error !== null && (
        <p id="error">{error instanceof Error ? error.message : JSON.stringify(error)}</p>
      )}
      <button onClick={() => actions.say("hello")}>say hello</button>
    </main>
  );
}

/** The address carries what outlives a reload: the thread, and the assistant. */
export function address(name: string): string | undefined {
  return new URL(location.href).searchParams.get(name) ?? undefined;
}

export function rememberThread(threadId: string): void {
  const url = new URL(location.href);
  url.searchParams.set("thread", threadId);
  history.replaceState(null, "", url);
}

export const apiUrl = new URL("/api", location.href).href;

export function show(page: ReactNode): void {
  const root = document.getElementById("root");
  if (root !== null) createRoot(root).render(page);
}
