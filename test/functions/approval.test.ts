import { Command, INTERRUPT, isInterrupted, MemorySaver } from "@langchain/langgraph";
import { expect, test } from "vitest";
import { graph } from "../../functions/graphs/approval.ts";

graph.checkpointer = new MemorySaver();

const request = "Tell bob@example.com that the release moves to Friday.";

/** A thread that waits for an answer, and what was asked of the person. */
async function waiting() {
  const config = { configurable: { thread_id: crypto.randomUUID() } };
  const asked = question(await graph.invoke({ request }, config));
  return { asked, config, answer: (resume: unknown) => graph.invoke(new Command({ resume }), config) };
}

function question(state: unknown): unknown {
  return isInterrupted(state) ? state[INTERRUPT][0]?.value : undefined;
}

const draft = { to: "bob@example.com", subject: request, body: `Hello,\n\n${request}\n\nKind regards` };
const answers = [
  { decision: "approve" },
  { decision: "edit", draft },
  { decision: "reject", reason: "why not" },
];

test("the run stops with a draft, a question and the answers that it takes", async () => {
  const { asked, config } = await waiting();
  expect(asked).toEqual({ question: "Send this e-mail?", draft, answers });
  const state = await graph.getState(config);
  expect(state.next).toEqual(["ask"]);
  expect(state.values).toMatchObject({ request, draft, status: "waiting", result: "" });
});

test("approved, the draft is sent as it is", async () => {
  const { answer } = await waiting();
  expect(await answer({ decision: "approve" })).toEqual({
    request,
    draft,
    status: "done",
    result: `Sent "${request}" to bob@example.com`,
  });
});

test("edited, the edited draft is sent", async () => {
  const { answer } = await waiting();
  const edited = { to: "team@example.com", subject: "Release on Friday", body: "See the plan." };
  expect(await answer({ decision: "edit", draft: edited })).toMatchObject({
    draft: edited,
    status: "done",
    result: 'Sent "Release on Friday" to team@example.com',
  });
});

test("rejected, nothing is sent and the reason is kept", async () => {
  const { answer } = await waiting();
  expect(await answer({ decision: "reject", reason: "the date is not settled" })).toMatchObject({
    draft,
    status: "rejected",
    result: "Not sent: the date is not settled",
  });
});

test.each([
  ["a bare word", "yes", /expected object/],
  ["an unknown decision", { decision: "postpone" }, /decision/],
  ["an edit without a draft", { decision: "edit" }, /draft/],
  ["an edit that cannot be sent", { decision: "edit", draft: { ...draft, to: "bob" } }, /draft\.to/],
])("%s is not understood, and the question is asked again saying why", async (_, resume, problem) => {
  const { answer } = await waiting();
  expect(question(await answer(resume))).toMatchObject({
    draft,
    problem: expect.stringMatching(problem),
  });
  expect(await answer({ decision: "approve" })).toMatchObject({ status: "done" });
});

test.each(answers)("the answer that is offered as $decision is understood as it stands", async (offered) => {
  const { answer } = await waiting();
  expect(isInterrupted(await answer(offered))).toBe(false);
});

test("a thread can be asked for another e-mail when the first is done", async () => {
  const { answer, config } = await waiting();
  await answer({ decision: "reject" });
  const again = await graph.invoke({ request: "Thank Ada for the review" }, config);
  expect(again).toMatchObject({ status: "waiting", result: "", draft: { to: "team@example.com" } });
  expect(isInterrupted(again)).toBe(true);
});

test("a run without a request fails and says what is missing", async () => {
  await expect(graph.invoke({}, { configurable: { thread_id: "empty" } })).rejects.toThrow(
    "request is missing",
  );
});

test("each step is told while it happens", async () => {
  const { config } = await waiting();
  const steps: string[] = [];
  const approved = { decision: "approve" };
  const stream = await graph.stream(new Command({ resume: approved }), { ...config, streamMode: "updates" });
  for await (const update of stream) {
    steps.push(...Object.keys(update));
  }
  expect(steps).toEqual(["ask", "send"]);
});
