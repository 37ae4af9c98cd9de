/** The app of the cloud entries: open to all, as the official server is. */

import { LangGraphApp } from "../../src/index.ts";
import * as graphs from "./graphs.ts";

export const app = new LangGraphApp({ authLevel: "anonymous", auth: "none" });
for (const [name, graph] of Object.entries(graphs)) app.register({ name, graph });
