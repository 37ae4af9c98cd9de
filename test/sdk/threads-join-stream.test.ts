import { expect, test } from "vitest";
import { asking, gated, shout } from "../support/graphs.ts";
import { clientOf, type Part } from "../support/sdk.ts";
import { startServer } from "../support/server.ts";

const graphs = [
  { name: "shout", graph: shout },
  { name: "asking", graph: asking },
];
const input = { text: "a" };

/** Reads until a part is as wanted, and leaves. */
async function until(parts: AsyncIterable<Part>, isLast: (part: Part, all: readonly Part[]) => boolean) {
  const found: Part[] = [];
  for await (const part of parts) {
    found.push(part);
    if (isLast(part, found)) return found;
  }
  throw new Error(`the stream has ended after ${JSON.stringify(found)}`);
}

const isDone = ({ data }: Part): boolean => Reflect.get(Object(data), "status") === "run_done";
const doneTimes =
  (times: number) =>
  (_: Part, all: readonly Part[]): boolean =>
    all.filter(isDone).length === times;

test("all runs of a thread are followed, those that start later too, each with its beginning and end", async () => {
  await using server = await startServer({ graphs });
  const { threads, runs } = clientOf(server);
  const { thread_id } = await threads.create();
  const first = await runs.create(thread_id, "shout", { input });
  await runs.join(thread_id, first.run_id);
  const stream = until(threads.joinStream(thread_id, { lastEventId: "-" }), doneTimes(2));
  const second = await runs.create(thread_id, "asking", { input });
  const parts = await stream;
  expect(parts.map(({ event, data }) => [event, data])).toEqual([
    ["metadata", { run_id: first.run_id, attempt: 1 }],
    ["values", { text: "a" }],
    ["values", { text: "a!" }],
    ["metadata", { status: "run_done", run_id: first.run_id }],
    ["metadata", { run_id: second.run_id, attempt: 1 }],
    ["values", { text: "a" }],
    ["values", { __interrupt__: [expect.objectContaining({ value: { question: "a" } })] }],
    ["metadata", { status: "run_done", run_id: second.run_id }],
  ]);
  const ids = parts.map(({ id }) => id);
  expect(new Set(ids).size).toBe(parts.length);

  for (const [index, id] of ids.entries()) {
    if (index === parts.length - 1 || id === undefined) continue;
    const rest = await until(
      threads.joinStream(thread_id, { lastEventId: id }),
      doneTimes(index < 3 ? 2 : 1),
    );
    expect(rest).toEqual(parts.slice(index + 1));
  }
});

test("without an event to start after, it is from now on", async () => {
  await using server = await startServer({ graphs });
  const { threads, runs } = clientOf(server);
  const { thread_id } = await threads.create();
  await runs.wait(thread_id, "shout", { input });
  const response = await fetch(`${server.url}/threads/${thread_id}/stream`);
  expect(response.headers.get("content-type")).toBe("text/event-stream");
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  expect((await reader?.read())?.value).toBe(": open\n\n");
  const next = await runs.create(thread_id, "shout", { input: { text: "b" } });
  let text = "";
  while (!text.includes("run_done")) text += (await reader?.read())?.value ?? "";
  await reader?.cancel();
  expect(text.match(/"run_id":"[^"]+"/g)).toEqual([`"run_id":"${next.run_id}"`, `"run_id":"${next.run_id}"`]);
  expect(text).not.toContain('{"text":"a"}');
});

test("a reader that comes in the middle of a run hears of its end", async () => {
  const { graph, open, entered } = gated();
  await using server = await startServer({ graphs: [{ name: "gated", graph }] });
  const { threads, runs } = clientOf(server);
  const { thread_id } = await threads.create();
  const run = await runs.create(thread_id, "gated", { input });
  await entered;
  const seen = await until(
    threads.joinStream(thread_id, { lastEventId: "-" }),
    ({ event }) => event === "values",
  );
  const rest = until(threads.joinStream(thread_id, { lastEventId: seen.at(-1)?.id ?? "" }), doneTimes(1));
  open();
  expect((await rest).at(-1)?.data).toEqual({ status: "run_done", run_id: run.run_id });
  expect((await rest).map(({ event }) => event)).toEqual(["values", "metadata"]);
});

test("modes choose beginnings and ends of runs, and edits of the state", async () => {
  await using server = await startServer({ graphs });
  const { threads, runs } = clientOf(server);
  const { thread_id } = await threads.create();
  await runs.wait(thread_id, "shout", { input });
  await threads.updateState(thread_id, { values: { text: "edited" } });
  await runs.wait(thread_id, "shout", { input });
  const lifecycle = await until(
    threads.joinStream(thread_id, { lastEventId: "-", streamMode: "lifecycle" }),
    doneTimes(2),
  );
  expect(lifecycle.map(({ event }) => event)).toEqual(["metadata", "metadata", "metadata", "metadata"]);
  const [edit, ...others] = await until(
    threads.joinStream(thread_id, { lastEventId: "-", streamMode: ["state_update", "lifecycle"] }),
    doneTimes(2),
  ).then((parts) => parts.filter(({ event }) => event !== "metadata"));
  expect(others).toEqual([]);
  expect(edit).toMatchObject({
    event: "state_update",
    data: { thread_id, state: { values: { text: "edited" }, next: [], metadata: { source: "update" } } },
  });
  const hostsName = await fetch(`${server.url}/threads/${thread_id}/stream?stream_modes=state_update`, {
    headers: { "last-event-id": "-" },
  });
  const reader = hostsName.body?.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  while (!text.includes("\n\n", 10)) text += (await reader?.read())?.value ?? "";
  await reader?.cancel();
  expect(text).toMatch(/^: open\n\nevent: state_update\n/);
});

test("what is no stream is refused", async () => {
  await using server = await startServer({ graphs });
  const { threads } = clientOf(server);
  const { thread_id } = await threads.create();
  const at = `/threads/${thread_id}/stream`;
  expect(await server.get(`/threads/${crypto.randomUUID()}/stream`)).toMatchObject({ status: 404 });
  expect(await server.get(`${at}?stream_mode=values`)).toMatchObject({ status: 422 });
  expect(await server.get(`${at}?mode=lifecycle`)).toMatchObject({ status: 422 });
  expect(await server.get(at, { headers: { "last-event-id": "x" } })).toMatchObject({
    status: 422,
    body: { detail: expect.stringContaining("last-event-id") },
  });
});
