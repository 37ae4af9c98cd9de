/** A server process of the chaos tests. */

import { Auth, HTTPException } from "@langchain/langgraph-sdk/auth";
import { LangGraphApp } from "langgraph-functions";
import { serveLocally } from "langgraph-functions/local";
import { graphs } from "./worker-graphs.ts";

/** With users, who calls is what a header says. */
const auth = new Auth().authenticate(({ headers }: Request) => {
  const identity = headers.get("x-user");
  if (identity === null) throw new HTTPException(401);
  return { identity, permissions: ["some"] };
});
const app = new LangGraphApp({
  webhooks: { allowPrivateAddresses: true },
  ...(process.env["USERS"] === undefined ? {} : { auth }),
});
for (const graph of graphs) app.register(graph);
const server = await serveLocally(app, { port: 0 });
console.log(`Serving on ${server.url}`);
process.once("SIGTERM", () => void server[Symbol.asyncDispose]().then(() => process.exit(0)));
