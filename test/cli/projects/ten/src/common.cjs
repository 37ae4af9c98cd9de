const { Annotation, START, StateGraph } = require("@langchain/langgraph");

module.exports.graph = new StateGraph(Annotation.Root({ text: Annotation() }))
  .addNode("shout", ({ text }) => ({ text: text.toUpperCase() }))
  .addEdge(START, "shout")
  .compile();
