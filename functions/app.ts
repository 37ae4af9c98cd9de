/** The app: every graph that is served, by name. This file is the whole of what you write; the graphs load when first called. */
import { LangGraphApp } from "langgraph-functions";
import { ApprovalInput, ChatInput, DigestInput } from "./inputs.ts";

export const app = new LangGraphApp()
  .register({
    name: "chat",
    description: "An assistant that remembers the conversation, calculates and tells the time",
    graph: () => import("./graphs/chat.ts"),
    inputSchema: ChatInput,
  })
  .register({
    name: "approval",
    description: "Drafts an e-mail and sends it only when a person has approved it",
    graph: () => import("./graphs/approval.ts"),
    inputSchema: ApprovalInput,
  })
  .register({
    name: "digest",
    description: "Reads documents in parallel and reports their key sentences and terms",
    graph: () => import("./graphs/digest.ts"),
    inputSchema: DigestInput,
  });
