/** Threads that wait for a person's word, and the links to answer them. */

import { Annotation, interrupt, START, StateGraph } from "@langchain/langgraph";
import { expect } from "vitest";
import { z } from "zod";
import { pausing } from "./graphs.ts";
import { type Answer, startServer, type ServerOptions, type TestServer } from "./server.ts";

const Answers = Annotation.Root({
  answers: Annotation<unknown[]>({ reducer: (all, more) => [...all, ...more], default: () => [] }),
});

/** Asks twice, one question after the other, in one node: both interrupts have the same id. */
const twice = new StateGraph(Answers)
  .addNode("ask", () => {
    const first: unknown = interrupt("first");
    const second: unknown = interrupt("second");
    return { answers: [first, second] };
  })
  .addEdge(START, "ask")
  .compile();

/** Asks two people at once. */
const both = new StateGraph(Answers)
  .addNode("ada", () => ({ answers: [{ ada: interrupt("ada?") }] }))
  .addNode("bob", () => ({ answers: [{ bob: interrupt("bob?") }] }))
  .addEdge(START, "ada")
  .addEdge(START, "bob")
  .compile();

export const askingGraphs = [
  { name: "pausing", graph: pausing },
  { name: "twice", graph: twice },
  { name: "both", graph: both },
];

export async function startAsking(options: Partial<ServerOptions> = {}): Promise<TestServer> {
  return startServer({ graphs: askingGraphs, ...options });
}

const Interrupts = z.record(z.string(), z.array(z.object({ id: z.string(), value: z.unknown() })));

/** What the thread waits at, by what it asks there. */
export async function pending(server: TestServer, thread = "t"): Promise<Readonly<Record<string, string>>> {
  const { body } = await server.get(`/threads/${thread}`);
  const { interrupts } = z.object({ interrupts: Interrupts }).parse(body);
  return Object.fromEntries(
    Object.values(interrupts)
      .flat()
      .map(({ id, value }) => [String(value), id]),
  );
}

/** Runs the graph on a thread until it waits. */
export async function ask(
  server: TestServer,
  {
    graph = "pausing",
    thread = "t",
    ...run
  }: { graph?: string; thread?: string } & Readonly<Record<string, unknown>> = {},
): Promise<void> {
  const { status, text } = await server.post(`/threads/${thread}/runs/wait`, {
    assistant_id: graph,
    if_not_exists: "create",
    input: { value: "May I?" },
    ...run,
  });
  expect([status, text]).toEqual([200, expect.stringContaining("__interrupt__")]);
}

const Link = z.strictObject({
  link_id: z.uuid(),
  url: z.url(),
  expires_at: z.iso.datetime(),
  thread_id: z.string(),
  interrupt_id: z.string(),
});
type Link = z.output<typeof Link>;

export async function makeLink(server: TestServer, body: object = {}, thread = "t"): Promise<Link> {
  const answer = await server.post(`/threads/${thread}/resume-links`, body);
  expect(answer.status, answer.text).toBe(200);
  return Link.parse(answer.body);
}

const json = { "content-type": "application/json" };
const asPage = { accept: "text/html,application/xhtml+xml,*/*;q=0.8" };

/** As a browser does. */
export async function open({ url }: Pick<Link, "url">, headers: HeadersInit = asPage): Promise<Answer> {
  return read(await fetch(url, { headers }));
}

/** As a program does. */
export async function respond({ url }: Pick<Link, "url">, response: unknown): Promise<Answer> {
  return read(await fetch(url, { method: "POST", headers: json, body: JSON.stringify({ response }) }));
}

/** As a browser does when the page's form is sent. */
export async function submit(
  { url }: Pick<Link, "url">,
  fields: Record<string, string> | string,
): Promise<Answer> {
  return read(await fetch(url, { method: "POST", headers: asPage, body: new URLSearchParams(fields) }));
}

async function read(response: Response): Promise<Answer> {
  const text = await response.text();
  const isJson = response.headers.get("content-type")?.includes("json") === true;
  return {
    status: response.status,
    headers: response.headers,
    text,
    body: isJson ? JSON.parse(text) : undefined,
  };
}

/** The thread's values when nothing of it is active any more. */
export async function settled(server: TestServer, thread = "t"): Promise<unknown> {
  const Runs = z.array(z.object({ run_id: z.string() }));
  const runs = Runs.parse((await server.get(`/threads/${thread}/runs`)).body);
  for (const { run_id } of runs) await server.get(`/threads/${thread}/runs/${run_id}/join`);
  const { body } = await server.get(`/threads/${thread}`);
  return z.object({ values: z.unknown() }).parse(body).values;
}

export async function runCount(server: TestServer): Promise<number> {
  return (await server.database.query("select from langgraph.runs")).length;
}
