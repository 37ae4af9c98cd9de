/** Reads many documents in parallel and joins what matters in them into one report, telling its progress on the way. */
import {
  END,
  type GraphNode,
  type LangGraphRunnableConfig,
  Overwrite,
  ReducedValue,
  Send,
  START,
  StateGraph,
  StateSchema,
} from "@langchain/langgraph";
import { z } from "zod";
import { samples } from "../documents/samples.ts";
import { paragraphs } from "./digest/markdown.ts";
import { keySentencesAndTerms } from "./digest/ranking.ts";
import { Digest, markdownReport } from "./digest/report.ts";

const Document = z.object({ title: z.string().default("Untitled"), text: z.string().max(1_000_000) });

/** Without documents, the samples are read. */
const Input = new StateSchema({
  documents: z.array(Document).max(100).default([]),
  maxSentences: z.int().min(1).max(20).default(3),
});

/** In the order of the documents, whichever was read first. */
const inOrder = (digests: Digest[], more: Digest[]) =>
  [...digests, ...more].sort((a, b) => a.index - b.index);

const Output = new StateSchema({
  report: z.string(),
  digests: new ReducedValue(z.array(Digest).default([]), { reducer: inOrder }),
});

const State = new StateSchema({ ...Input.fields, ...Output.fields });

/** What one branch of the fan-out is given to read. */
interface Assignment {
  readonly document: z.infer<typeof Document>;
  readonly index: number;
  readonly of: number;
  readonly maxSentences: number;
}

const plan: GraphNode<typeof State> = ({ documents }) => {
  // A thread may ask again: its former digests are overwritten, where an empty list would only add nothing to them.
  return { documents: documents.length > 0 ? documents : samples, digests: new Overwrite([]) };
};

const fanOut = ({ documents, maxSentences }: typeof State.State): Send<"read", Assignment>[] =>
  documents.map(
    (document, index) => new Send("read", { document, index, of: documents.length, maxSentences }),
  );

const read = ({ document, index, of, maxSentences }: Assignment, { writer }: LangGraphRunnableConfig) => {
  const { title, text } = document;
  const progress = (step: "started" | "done", read: number) =>
    writer?.({ step, document: index + 1, of, title, percent: Math.round((100 * read) / of) });

  progress("started", index);
  const digest = { index, title, ...keySentencesAndTerms(paragraphs(text), maxSentences) };
  progress("done", index + 1);
  return { digests: [digest] };
};

const join: GraphNode<typeof State> = ({ digests }) => ({ report: markdownReport(digests) });

export const graph = new StateGraph({ state: State, input: Input, output: Output })
  .addNode("plan", plan)
  .addNode("read", read)
  .addNode("join", join)
  .addEdge(START, "plan")
  .addConditionalEdges("plan", fanOut, ["read"])
  .addEdge("read", "join")
  .addEdge("join", END)
  .compile();
