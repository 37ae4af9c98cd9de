/** The least that anybody who serves a graph has to load. */

import { StateGraph } from "@langchain/langgraph";

console.log(`loaded ${typeof StateGraph}`);
