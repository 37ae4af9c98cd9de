/** The app: every graph that is served, by name. This file is the whole of what you write; the graphs load when first called. */
import { LangGraphApp } from "langgraph-functions";

export const app = new LangGraphApp()
  .register({
    name: "chat",
    description: "An assistant that remembers the conversation, calculates and tells the time",
    graph: () => import("./graphs/chat.ts"),
  })
  .register({
    name: "approval",
    description: "Drafts an e-mail and sends it only when a person has approved it",
    graph: () => import("./graphs/approval.ts"),
  })
  .register({
    name: "digest",
    description: "Reads documents in parallel and reports their key sentences and terms",
    graph: () => import("./graphs/digest.ts"),
  });
