/**
 * Our server, behind the least of HTTP hosts: what a function host would add is not ours. No timer ticks, as none
 * would on a warm instance between two minutes.
 */

import { serve } from "@hono/node-server";
import { LangGraphApp } from "langgraph-functions";

const app = new LangGraphApp({ authLevel: "anonymous" })
  .register({ name: "two", graph: async () => (await import("./graphs.ts")).twoCompiled })
  .register({ name: "three", graph: async () => (await import("./graphs.ts")).threeCompiled });

const server = serve(
  { fetch: async (request) => app.fetch(request), port: 0, hostname: "127.0.0.1" },
  ({ port }) => {
    console.log(`listening ${port}`);
  },
);

process.once("SIGTERM", () => {
  server.close();
  void app[Symbol.asyncDispose]().finally(() => process.exit(0));
});
