/** `npm start`: the app on this machine. */
import { runLocally } from "langgraph-functions/local";
import { app } from "./app.ts";

await runLocally(app);
