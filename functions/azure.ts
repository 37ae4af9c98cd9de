import { serveOnAzure } from "langgraph-functions/azure";
import { app } from "./app.ts";

serveOnAzure(app);
