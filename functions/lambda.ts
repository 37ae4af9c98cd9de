import { serveOnLambda } from "langgraph-functions/aws";
import { app } from "./app.ts";

export const { http, worker, schedule } = serveOnLambda(app);
