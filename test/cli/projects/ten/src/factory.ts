import { Annotation, START, StateGraph } from "@langchain/langgraph";

const State = Annotation.Root({ text: Annotation<string>() });

interface Config {
  readonly configurable?: { readonly suffix?: string };
}

export async function makeGraph(config: Config = {}, runtime?: { accessContext: string }) {
  return new StateGraph(State)
    .addNode("shout", ({ text }) => ({
      text: `${text.toUpperCase()}${config.configurable?.suffix ?? ""} ${runtime?.accessContext}`,
    }))
    .addEdge(START, "shout");
}
