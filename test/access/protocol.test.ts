import { expect, test } from "vitest";
import { EVERYTHING, type Policy } from "../../src/core/auth.ts";
import { AppError } from "../../src/errors.ts";
import { asking, gated, repeating, shout } from "../support/graphs.ts";
import { appWithUsers, type AppWithUsers, type Person } from "../support/users.ts";
import {
  command,
  dataOf,
  isEnd,
  isEndOf,
  openStream,
  outline,
  requestedOf,
  runToEnd,
  sendCommand,
  startRun,
} from "../support/protocol.ts";

const graphs = [
  { name: "shout", graph: shout },
  { name: "asking", graph: asking },
  { name: "repeating", graph: repeating },
];
const input = { text: "a" };

const stateOf = async (person: Person, thread: string): Promise<unknown> =>
  (await person.ask("GET", `/threads/${thread}/state`)).body;

/** Nothing else in a stream looks like it. */
const telling = (times: number): string => `told ${times} times`;

const repeat = async (person: Person, thread: string, times: number): Promise<unknown> =>
  runToEnd(person, thread, { assistant_id: "repeating", input: { text: telling(times), times } });

/** Two instances on one database. */
async function twoInstances(): Promise<AppWithUsers & { readonly other: AppWithUsers }> {
  const app = await appWithUsers({ graphs });
  const other = await appWithUsers({ graphs, database: app.database });
  return {
    ...app,
    other,
    [Symbol.asyncDispose]: async () => {
      await other[Symbol.asyncDispose]();
      await app[Symbol.asyncDispose]();
    },
  };
}

test("a command on another user's thread is answered as on one that there is not", async () => {
  await using app = await appWithUsers({ graphs });
  const [ada, bob] = [app.as("ada"), app.as("bob")];
  const events = await runToEnd(ada, "adas", { assistant_id: "asking", input });
  const [interrupt_id] = requestedOf(events);
  const before = await ada.ask("GET", "/threads/adas");
  const checkpoint_id: unknown = Reflect.get(
    Object(Reflect.get(Object(await stateOf(ada, "adas")), "checkpoint")),
    "checkpoint_id",
  );
  const commands: readonly [string, object][] = [
    ["state.get", {}],
    ["state.get", { namespace: ["sub:1"] }],
    ["state.listCheckpoints", {}],
    ["agent.getTree", {}],
    ["state.fork", { checkpoint_id }],
    ["input.respond", { interrupt_id, response: "bobs" }],
    ["input.respond", { interrupt_id: "unknown", response: "bobs" }],
    ["input.inject", {}],
    ["unknown", {}],
  ];
  for (const [id, [method, params]] of commands.entries()) {
    const onAdas = await sendCommand(bob, "adas", { id, method, params });
    const onNone = await sendCommand(bob, "none", { id, method, params });
    expect([method, onAdas]).toEqual([method, onNone]);
    expect(onAdas.body).toMatchObject({ type: "error" });
  }
  const started = await command(bob, "adas", "run.start", { assistant_id: "asking", input });
  expect(started).toMatchObject({
    status: 404,
    body: { type: "error", error: "invalid_argument", message: "Thread 'adas' not found" },
  });
  expect((await ada.ask("GET", "/threads/adas")).body).toEqual(before.body);
  expect((await ada.ask("GET", "/threads/adas/runs")).body).toHaveLength(1);
  expect((await command(ada, "adas", "state.get")).body).toMatchObject({ type: "success" });
  await command(ada, "adas", "input.respond", { interrupt_id, response: "adas" });
  await using stream = await openStream(ada, "adas");
  expect(dataOf(await stream.until(isEnd), "values").at(-1)).toEqual({ text: "a adas" });
});

test("whether another user's thread waits for an answer does not show in how an input is taken", async () => {
  await using app = await appWithUsers({ graphs });
  await runToEnd(app.as("ada"), "waiting", { assistant_id: "asking", input });
  await runToEnd(app.as("ada"), "done", { assistant_id: "shout", input });
  const answers = await Promise.all(
    ["waiting", "done"].map(async (thread) => {
      const sent = { id: 1, method: "run.start", params: { assistant_id: "asking", input: "an answer" } };
      const { status, body } = await sendCommand(app.as("bob"), thread, sent);
      return [status, JSON.stringify(body).replaceAll(thread, "ID")];
    }),
  );
  expect(answers[0]).toEqual(answers[1]);
});

test.each(["app", "other"] as const)(
  "a stream shows nothing of what others make under its thread's id, here and elsewhere: %s",
  async (place) => {
    await using app = await twoInstances();
    const readers = place === "app" ? app : app.other;
    const [ada, bob] = [app.as("ada"), app.as("bob")];
    await using early = await openStream(readers.as("bob"), "t");
    await repeat(ada, "t", 30);
    await using late = await openStream(readers.as("bob"), "t", { since: 0 });
    await using buffered = await openStream(readers.as("bob"), "t");
    await repeat(ada, "t", 30);
    expect((await ada.ask("DELETE", "/threads/t")).status).toBe(204);
    await startRun(bob, "t", { assistant_id: "repeating", input: { text: "bobs", times: 2 } });
    for (const stream of [early, late, buffered]) {
      const events = await stream.until(isEnd);
      expect(dataOf(events, "custom")).toEqual([
        { payload: { text: "bobs", time: 1 } },
        { payload: { text: "bobs", time: 2 } },
      ]);
      expect(outline(events)[0]).toBe("lifecycle running");
      expect(JSON.stringify(events)).not.toContain(telling(30));
    }
  },
);

test.each(["app", "other"] as const)(
  "a stream goes on only with its reader's own thread when that is deleted and made anew: %s",
  async (place) => {
    await using app = await twoInstances();
    const readers = place === "app" ? app : app.other;
    const [ada, bob] = [app.as("ada"), app.as("bob")];
    await using stream = await openStream(readers.as("ada"), "t");
    await repeat(ada, "t", 2);
    await stream.until(isEnd);
    await ada.ask("DELETE", "/threads/t");
    await repeat(bob, "t", 40);
    await bob.ask("DELETE", "/threads/t");
    await repeat(ada, "t", 60);
    const events = await stream.until(isEndOf(1));
    const told = dataOf(events, "custom").map((data) => JSON.stringify(data));
    expect(told.filter((data) => data.includes(telling(40)))).toEqual([]);
    expect(told.at(-1)).toBe(JSON.stringify({ payload: { text: telling(60), time: 60 } }));
  },
);

test("a user's runs are replayed, filtered, and gone on with on another instance", async () => {
  await using app = await twoInstances();
  const events = await runToEnd(app.as("ada"), "t", {
    assistant_id: "repeating",
    input: { text: "a", times: 3 },
  });
  await using replayed = await openStream(app.other.as("ada"), "t");
  expect(await replayed.until(isEnd)).toEqual(events);
  await using filtered = await openStream(app.other.as("ada"), "t", { channels: ["custom", "lifecycle"] });
  expect(dataOf(await filtered.until(isEnd), "custom")).toHaveLength(3);
  const since = events[3]?.seq;
  await using rest = await openStream(app.other.as("ada"), "t", { since });
  expect(await rest.until(isEnd)).toEqual(events.slice(4));
});

test("two clients of a user see the same, and either answers what a run asks", async () => {
  await using app = await twoInstances();
  await using one = await openStream(app.as("ada"), "t");
  await using two = await openStream(app.other.as("ada"), "t");
  await startRun(app.as("ada"), "t", { assistant_id: "asking", input });
  const [interrupt_id] = requestedOf(await one.until(isEnd));
  expect(requestedOf(await two.until(isEnd))).toEqual([interrupt_id]);
  await command(app.other.as("ada"), "t", "input.respond", { interrupt_id, response: "yes" });
  expect(dataOf(await one.until(isEnd), "values").at(-1)).toEqual({ text: "a yes" });
  expect(await two.until(isEnd)).toEqual(one.seen);
});

test("a command is its sender's: of another user, the same one is another", async () => {
  const gate = gated();
  const decide: Policy["decide"] = async (_user, _event, value) => ({ value, scope: EVERYTHING });
  const own = [{ name: "gated", graph: gate.graph }];
  await using app = await appWithUsers({ graphs: own });
  await using shared = await appWithUsers({ graphs: own, policy: { decide } });
  const sent = { id: 1, method: "run.start", params: { assistant_id: "gated", input } };
  const runOf = async (person: Person) => {
    const { body } = await sendCommand(person, "t", sent);
    return Reflect.get(Object(body["result"]), "run_id");
  };
  const first = await runOf(app.as("ada"));
  await gate.entered;
  expect(first).toEqual(expect.any(String));
  expect(await runOf(app.as("ada"))).toBe(first);
  expect(await sendCommand(app.as("bob"), "t", sent)).toMatchObject({ status: 404 });
  const together = [
    await runOf(shared.as("ada")),
    await runOf(shared.as("bob")),
    await runOf(shared.as("ada")),
  ];
  expect(together[2]).toBe(together[0]);
  expect(new Set([first, ...together]).size).toBe(3);
  gate.open();
});

test("each command and stream asks for what it does, and nothing is done that is refused", async () => {
  const asked: string[] = [];
  const refused = new Set<string>();
  const decide: Policy["decide"] = async (_user, event) => {
    asked.push(event);
    if (refused.has(event)) throw new AppError("forbidden", `Not ${event}`);
    return null;
  };
  await using app = await appWithUsers({ graphs, policy: { decide } });
  const ada = app.as("ada");
  const [interrupt_id] = requestedOf(await runToEnd(ada, "t", { assistant_id: "asking", input }));
  const state = Object(await stateOf(ada, "t"));
  const { checkpoint_id } = Object(Reflect.get(state, "checkpoint"));
  const runs = await ada.ask("GET", "/threads/t/runs");
  const commands: readonly [string, object, readonly string[]][] = [
    ["state.get", {}, ["threads:read"]],
    ["state.listCheckpoints", {}, ["threads:read"]],
    ["agent.getTree", {}, ["threads:read"]],
    ["unknown", {}, ["threads:read"]],
    ["run.start", { assistant_id: "asking", input }, ["threads:read", "threads:create_run"]],
    ["state.fork", { checkpoint_id }, ["threads:read", "threads:create_run"]],
    ["input.respond", { interrupt_id, response: 1 }, ["threads:update", "threads:create_run"]],
  ];
  for (const [method, params, events] of commands)
    for (const event of events) {
      refused.add(event);
      const { status, body } = await command(ada, "t", method, params);
      expect([method, status, body]).toEqual([method, 403, { error: "forbidden", detail: `Not ${event}` }]);
      refused.clear();
    }
  refused.add("threads:read");
  await using stream = await openStream(ada, "t");
  expect(stream.response.status).toBe(403);
  refused.clear();
  expect((await ada.ask("GET", "/threads/t/runs")).body).toEqual(runs.body);
  asked.length = 0;
  await using allowed = await openStream(ada, "t");
  expect([allowed.response.status, asked]).toEqual([200, ["threads:read"]]);
});

test("a run's handler sees who starts it, and its metadata is the thread's", async () => {
  const decide: Policy["decide"] = async ({ identity: owner }, event, value) => {
    const metadata = { ...Object(value["metadata"]), owner };
    const isMade = event === "threads:create_run" || event === "threads:create";
    const scope = { metadata: [{ field: "owner", is: owner }] };
    return { value: isMade ? { ...value, metadata } : value, scope };
  };
  await using app = await appWithUsers({ graphs, policy: { decide } });
  await runToEnd(app.as("ada"), "t", { assistant_id: "shout", input });
  expect((await app.as("ada").ask("GET", "/threads/t")).body).toMatchObject({ metadata: { owner: "ada" } });
  expect((await app.as("bob").ask("GET", "/threads/t")).status).toBe(404);
  const started = await command(app.as("bob"), "t", "run.start", { assistant_id: "shout", input });
  expect(started.status).toBe(404);
});
