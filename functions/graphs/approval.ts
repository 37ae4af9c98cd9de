/** An action that waits for a person: draft an e-mail, ask, then send it as it is, send it as edited, or stop. */
import { END, type GraphNode, interrupt, START, StateGraph, StateSchema } from "@langchain/langgraph";
import { z } from "zod";

const Draft = z.object({ to: z.email(), subject: z.string().min(1).max(200), body: z.string().min(1) });

const Answer = z.discriminatedUnion("decision", [
  z.object({ decision: z.literal("approve") }),
  z.object({ decision: z.literal("edit"), draft: Draft }),
  z.object({ decision: z.literal("reject"), reason: z.string().default("no reason given") }),
]);

const Input = new StateSchema({ request: z.string().default("") });

const State = new StateSchema({
  ...Input.fields,
  draft: Draft,
  status: z.enum(["waiting", "done", "rejected"]),
  result: z.string(),
});

/** A template here; in your graph, a model writes the draft. */
const write: GraphNode<typeof State> = ({ request }) => {
  if (request.trim() === "") throw new Error("request is missing: say what the e-mail is to say");
  const [to = "team@example.com"] = request.match(/[\w.+-]+@[\w-]+(?:\.[\w-]+)+/) ?? [];
  const [firstLine = request] = request.split(/\n|(?<=[.!?])\s/);
  const subject = firstLine.length > 60 ? `${firstLine.slice(0, 59)}…` : firstLine;
  return {
    draft: { to, subject, body: `Hello,\n\n${request}\n\nKind regards` },
    status: "waiting",
    result: "",
  };
};

/** Stops until the run is resumed with an answer; an answer that is not understood is asked for again, saying why. */
const ask: GraphNode<typeof State> = ({ draft }) => {
  let problem: string | undefined;
  for (;;) {
    const answer = Answer.safeParse(
      interrupt({
        question: "Send this e-mail?",
        draft,
        answers: [
          { decision: "approve" },
          { decision: "edit", draft },
          { decision: "reject", reason: "why not" },
        ],
        ...(problem && { problem }),
      }),
    );
    if (answer.success) return decide(answer.data);
    problem = `The answer was not understood. ${z.prettifyError(answer.error)}`;
  }
};

function decide(answer: z.infer<typeof Answer>): typeof State.Update {
  switch (answer.decision) {
    case "approve":
      return {};
    case "edit":
      return { draft: answer.draft };
    case "reject":
      return { status: "rejected", result: `Not sent: ${answer.reason}` };
  }
}

/** Only records what it would do: call your mail service here. It runs after the answer, so a replay never asks twice. */
const send: GraphNode<typeof State> = ({ draft }) => {
  return { status: "done", result: `Sent "${draft.subject}" to ${draft.to}` };
};

export const graph = new StateGraph({ state: State, input: Input })
  .addNode("write", write)
  .addNode("ask", ask)
  .addNode("send", send)
  .addEdge(START, "write")
  .addEdge("write", "ask")
  .addConditionalEdges("ask", ({ status }) => (status === "rejected" ? END : "send"), ["send", END])
  .addEdge("send", END)
  .compile();
