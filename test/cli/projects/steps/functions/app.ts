/** Graphs that take their time, wait, or fail, to be built and deployed. */
import { LangGraphApp } from "langgraph-functions";

export const app = new LangGraphApp()
  .register({ name: "gated", graph: () => import("./graphs/gated.ts") })
  .register({ name: "failing", graph: () => import("./graphs/failing.ts") })
  .register({ name: "counting", graph: () => import("./graphs/counting.ts") });
