import { serveOnLambda } from "langgraph-functions/aws";
import { app } from "./app.ts";

export const { http } = serveOnLambda(app);
