import { EventSourceParserStream } from "eventsource-parser/stream";
import { expect, test } from "vitest";
import type { Policy } from "../../src/core/auth.ts";
import { AppError } from "../../src/errors.ts";
import { gated, repeating } from "../support/graphs.ts";
import { appWithUsers, type AppWithUsers, type Person } from "../support/users.ts";

const graphs = [{ name: "repeating", graph: repeating }];

/** Nothing else in a stream looks like it. */
const telling = (times: number): string => `told ${times} times`;

const repeat = async (person: Person, times: number): Promise<unknown> =>
  person.ask("POST", "/threads/t/runs/wait", {
    assistant_id: "repeating",
    input: { text: telling(times), times },
    stream_mode: "custom",
    if_not_exists: "create",
  });

interface Frame {
  readonly event: string;
  readonly data: string;
}

/** The thread's stream, from its beginning. */
async function* follow(person: Person): AsyncGenerator<Frame> {
  const headers = { "last-event-id": "-" };
  const response = await person.fetch(new Request(`${person.url}/threads/t/stream`, { headers }));
  const frames = response.body
    ?.pipeThrough(new TextDecoderStream())
    .pipeThrough(new EventSourceParserStream());
  for await (const { event = "", data } of frames ?? []) yield { event, data };
}

/** Reads on to the end of a run. */
async function untilDone(frames: AsyncGenerator<Frame>): Promise<readonly Frame[]> {
  const seen: Frame[] = [];
  for (let next = await frames.next(); next.done !== true; next = await frames.next()) {
    seen.push(next.value);
    if (next.value.event === "metadata" && next.value.data.includes("run_done")) break;
  }
  return seen;
}

const told = (frames: readonly Frame[]): readonly string[] =>
  frames.flatMap(({ event, data }) => (event === "custom" ? [data] : []));

test("another user's thread cannot be followed", async () => {
  await using app = await appWithUsers({ graphs });
  await repeat(app.as("ada"), 1);
  const adas = await app.as("bob").ask("GET", "/threads/t/stream");
  const none = await app.as("bob").ask("GET", "/threads/none/stream");
  expect([adas.status, none.status]).toEqual([404, 404]);
  expect(adas.text).toBe(none.text.replace("none", "t"));
});

test.each(["here", "elsewhere"])(
  "who follows a thread that is deleted and made anew by others sees nothing of theirs: %s",
  async (place) => {
    await using app = await appWithUsers({ graphs });
    await using other = await appWithUsers({ graphs, database: app.database });
    const readers: AppWithUsers = place === "here" ? app : other;
    const [ada, bob] = [app.as("ada"), app.as("bob")];
    await repeat(ada, 2);
    const frames = follow(readers.as("ada"));
    expect(told(await untilDone(frames))).toHaveLength(2);
    await ada.ask("DELETE", "/threads/t");
    await repeat(bob, 40);
    await bob.ask("DELETE", "/threads/t");
    await repeat(ada, 60);
    const rest = told(await untilDone(frames));
    expect(rest.filter((data) => !data.includes(telling(60)))).toEqual([]);
    expect(rest.at(-1)).toBe(JSON.stringify({ text: telling(60), time: 60 }));
    await frames.return(undefined);
  },
);

test("a stale execution of a deleted thread is not told to who has made it anew", async () => {
  const gate = gated();
  const all = [...graphs, { name: "gated", graph: gate.graph }];
  await using app = await appWithUsers({ graphs: all });
  const [ada, bob] = [app.as("ada"), app.as("bob")];
  const run = { assistant_id: "gated", input: { text: "adas" }, if_not_exists: "create" };
  await ada.ask("POST", "/threads/t/runs", run);
  await gate.entered;
  await ada.ask("DELETE", "/threads/t");
  await bob.ask("POST", "/threads", { thread_id: "t" });
  const frames = follow(bob);
  const first = frames.next();
  gate.open();
  await repeat(bob, 1);
  const found = await first;
  const seen = [...(found.done === true ? [] : [found.value]), ...(await untilDone(frames))];
  expect(told(seen)).toEqual([JSON.stringify({ text: telling(1), time: 1 })]);
  expect(JSON.stringify(seen)).not.toContain("adas");
  await frames.return(undefined);
});

test("a thread is followed by who may read it", async () => {
  const decide: Policy["decide"] = async ({ identity }, event) => {
    if (identity === "bob" && event === "threads:read") throw new AppError("forbidden", "Not this one");
    return null;
  };
  await using app = await appWithUsers({ graphs, policy: { decide } });
  await repeat(app.as("ada"), 1);
  expect((await app.as("bob").ask("GET", "/threads/t/stream")).status).toBe(403);
  const frames = follow(app.as("ada"));
  expect(told(await untilDone(frames))).toHaveLength(1);
  await frames.return(undefined);
});
