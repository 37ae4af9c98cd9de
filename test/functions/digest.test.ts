import { MemorySaver } from "@langchain/langgraph";
import { expect, test } from "vitest";
import { graph } from "../../functions/graphs/digest.ts";
import { paragraphs } from "../../functions/graphs/digest/markdown.ts";

graph.checkpointer = new MemorySaver();

const thread = () => ({ configurable: { thread_id: crypto.randomUUID() } });

async function digestOf(text: string, maxSentences = 3) {
  const { digests } = await graph.invoke({ documents: [{ title: "T", text }], maxSentences }, thread());
  return digests[0];
}

const readme = `# ferry [![build](https://img.example/b.svg)](https://ci.example)

<p align="center"><img src="logo.png" alt="logo of a ship"></p>

Ferry copies files between machines and resumes a broken transfer where it stopped. Each file is cut into blocks, and
only blocks that the receiver does not have are sent.

> [!NOTE]
> A transfer needs **no** server: both machines talk to each other, [as described here](https://docs.example/p2p).

## Install

\`\`\`sh
npm install --global ferry. This line is a command and certainly not a sentence about transfer of blocks.
\`\`\`

    const indented = "This transfer of blocks and files is code as well, in the old style of markdown.";

## Options

| option      | meaning                                                                |
| ----------- | ---------------------------------------------------------------------- |
| \`--blocks\`  | The size of the blocks of a transfer of files between the machines.    |
| \`--resume\`  | Whether a broken transfer of blocks is resumed by the receiver.        |

- The size of a block is chosen from the size of the file.
- A transfer of many small files packs them into common blocks, so that the network is not kept waiting.

The name of the project was found on a rainy day. Lunch was soup.

[p2p]: https://docs.example/p2p "How the transfer of blocks works between two machines."
`;

test("without documents the samples are read, in their order", async () => {
  const { digests, report } = await graph.invoke({}, thread());
  expect(digests.map(({ index, title }) => [index, title])).toEqual([
    [0, "Connection pools and short-lived processes"],
    [1, "How a tide table is computed"],
    [2, "Why a heat pump works in winter"],
    [3, "What makes UTF-8 a good encoding"],
  ]);
  for (const { sentences } of digests) expect(sentences).toHaveLength(3);
  expect(report).toMatch(/^# Digest of 4 documents\n\n## Connection pools/);
});

test("the terms and sentences of a sample are what it is about", async () => {
  const { digests } = await graph.invoke({ maxSentences: 2 }, thread());
  expect(digests[0]?.terms.slice(0, 4)).toEqual(["connection", "pool", "instance", "database"]);
  expect(digests[2]?.sentences).toContain("A heat pump moves heat instead of making it.");
});

test("each document is read in a branch of its own and reported in the order given", async () => {
  const documents = Array.from({ length: 8 }, (_, i) => ({ title: `Document ${i}`, text: `Text ${i}.` }));
  const branches: string[] = [];
  for await (const update of await graph.stream({ documents }, { ...thread(), streamMode: "updates" })) {
    branches.push(...Object.keys(update));
  }
  expect(branches).toEqual(["plan", ...documents.map(() => "read"), "join"]);

  const { digests, report } = await graph.invoke({ documents }, thread());
  expect(digests.map(({ title }) => title)).toEqual(documents.map(({ title }) => title));
  expect(report.match(/^## .*$/gm)).toEqual(documents.map(({ title }) => `## ${title}`));
});

test("progress goes from 0 to 100, two events for each document", async () => {
  const events: unknown[] = [];
  for await (const event of await graph.stream({}, { ...thread(), streamMode: "custom" })) events.push(event);
  const title = expect.any(String);
  expect(events).toEqual([
    { step: "started", document: 1, of: 4, title, percent: 0 },
    { step: "done", document: 1, of: 4, title, percent: 25 },
    { step: "started", document: 2, of: 4, title, percent: 25 },
    { step: "done", document: 2, of: 4, title, percent: 50 },
    { step: "started", document: 3, of: 4, title, percent: 50 },
    { step: "done", document: 3, of: 4, title, percent: 75 },
    { step: "started", document: 4, of: 4, title, percent: 75 },
    { step: "done", document: 4, of: 4, title, percent: 100 },
  ]);
});

test("only the prose of a README is read", () => {
  expect(paragraphs(readme)).toEqual([
    "Ferry copies files between machines and resumes a broken transfer where it stopped. Each file is cut into blocks, and only blocks that the receiver does not have are sent.",
    "A transfer needs no server: both machines talk to each other, as described here.",
    "The size of a block is chosen from the size of the file.",
    "A transfer of many small files packs them into common blocks, so that the network is not kept waiting.",
    "The name of the project was found on a rainy day. Lunch was soup.",
  ]);
});

test("the digest of a README says what it is about and leaves the small talk out", async () => {
  const digest = await digestOf(readme, 3);
  expect(digest?.terms).toEqual(expect.arrayContaining(["block", "file", "machine", "transfer"]));
  expect(digest?.sentences).toHaveLength(3);
  expect(digest?.sentences[0]).toBe(
    "Ferry copies files between machines and resumes a broken transfer where it stopped.",
  );
  expect(digest?.sentences.join(" ")).not.toMatch(/\||`|https?:|certainly not|old style|rainy|soup/);
});

test("a sentence that repeats another is taken once", async () => {
  const digest = await digestOf(
    "The tide rises twice a day in most harbours. ".repeat(5) + "The Moon pulls the water of the sea.",
  );
  expect(digest?.sentences).toEqual([
    "The tide rises twice a day in most harbours.",
    "The Moon pulls the water of the sea.",
  ]);
});

test.each(["", "   \n\n ", "# A heading", "```\ncode\n```", "| a |\n|---|\n| b |"])(
  "nothing is found in %j, and that is said",
  async (text) => {
    const { digests, report } = await graph.invoke({ documents: [{ title: "Nothing", text }] }, thread());
    expect(digests).toEqual([{ index: 0, title: "Nothing", terms: [], sentences: [] }]);
    expect(report).toBe("# Digest of 1 document\n\n## Nothing\n\n_Nothing to read._\n");
  },
);

test.each([
  ["German", "Die Flut steigt zweimal am Tag. Der Mond zieht das Wasser der Meere an sich.", /Flut|Mond/],
  [
    "Russian",
    "Прилив поднимается дважды в день. Луна притягивает воду морей и океанов планеты.",
    /Прилив|Луна/,
  ],
  ["Japanese", "潮は一日に二回満ちる。月が海の水を引き寄せるため、潮位は毎日変わる。", /潮/],
  ["Arabic", "يرتفع المد مرتين في اليوم. القمر يجذب مياه البحار والمحيطات.", /القمر/],
])("%s is read too", async (_, text, expected) => {
  const digest = await digestOf(text);
  expect(digest?.sentences.join(" ")).toMatch(expected);
  expect(digest?.terms.length).toBeGreaterThan(0);
});

test.each([
  ["of sentences", "A pool lends connections to requests, one after the other. ", 3],
  ["of one word", "pool", 1],
  ["of open emphasis", "a**", 1],
  ["of nested quotes", ">", 1],
])("a long document %s is read", { timeout: 60_000 }, async (_, part, most) => {
  const digest = await digestOf(part.repeat(50_000 / part.length));
  expect(digest?.sentences.length).toBeGreaterThan(0);
  expect(digest?.sentences.length).toBeLessThanOrEqual(most);
  for (const sentence of digest?.sentences ?? []) expect(sentence.length).toBeLessThanOrEqual(400);
});

test("a megabyte of prose is read", { timeout: 60_000 }, async () => {
  const line = (i: number) =>
    `Station ${i} measured a tide of ${i % 90} decimetres under wind number ${i % 7}. `;
  const text = Array.from({ length: 15_000 }, (_, i) => line(i) + (i % 9 === 8 ? "\n\n" : ""))
    .join("")
    .slice(0, 1_000_000);
  const digest = await digestOf(text);
  expect(text).toHaveLength(1_000_000);
  expect(digest?.terms).toContain("tide");
  expect(digest?.sentences.length).toBeGreaterThan(0);
});

test.each([
  ["documents that are no list", { documents: "text" }, /"documents".*expected array/],
  [
    "a document without a text",
    { documents: [{ title: "T" }] },
    /"documents".*\[0,"text"\].*expected string/,
  ],
  ["too many sentences", { maxSentences: 21 }, /"maxSentences".*<=20/],
  [
    "a document over a million characters",
    { documents: [{ text: "a".repeat(1_000_001) }] },
    /"documents".*1000000/,
  ],
])("%s: the error names the field and what was expected", async (_, input, problem) => {
  await expect(graph.invoke(JSON.parse(JSON.stringify(input)), thread())).rejects.toThrow(problem);
});

test("a thread that asks again gets the digest of the new documents only", async () => {
  const config = thread();
  await graph.invoke({}, config);
  const { digests } = await graph.invoke({ documents: [{ title: "New", text: "A new text." }] }, config);
  expect(digests.map(({ title }) => title)).toEqual(["New"]);
});
