/** A server process of the chaos tests. */

import { LangGraphApp } from "langgraph-functions";
import { serveLocally } from "langgraph-functions/local";
import { graphs } from "./worker-graphs.ts";

const app = new LangGraphApp({ webhooks: { allowPrivateAddresses: true } });
for (const graph of graphs) app.register(graph);
const server = await serveLocally(app, { port: 0 });
console.log(`Serving on ${server.url}`);
process.once("SIGTERM", () => void server[Symbol.asyncDispose]().then(() => process.exit(0)));
