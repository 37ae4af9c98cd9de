import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { appWithUsers, makeUser, textOf, type AppWithUsers } from "../support/users.ts";
import { counter, gated, reporting, shout } from "../support/graphs.ts";

let app: AppWithUsers;
const asked: unknown[] = [];

beforeAll(async () => {
  app = await appWithUsers({
    graphs: [
      { name: "shout", graph: shout },
      { name: "open", graph: shout, authLevel: "anonymous" },
      {
        name: "told",
        graph: reporting,
        authLevel: "anonymous",
        context: (_, user) => {
          asked.push(user);
          return { greeting: `Hello ${user?.identity ?? "stranger"}` };
        },
      },
    ],
  });
});

afterAll(async () => app[Symbol.asyncDispose]());

let threads = 0;

function newThread(): string {
  return `native-${(threads += 1)}`;
}

function on(thread: string): { readonly body: object } {
  return { body: { input: { text: "secret" }, config: { configurable: { thread_id: thread } } } };
}

test("the state of another user's thread is what that of a missing one is", async () => {
  const thread = newThread();
  expect((await app.ask("ada", "POST /graphs/shout/invoke", on(thread))).status).toBe(200);
  const state = `GET /graphs/shout/threads/${thread}/state`;
  expect((await app.ask("ada", state)).body).toMatchObject({ values: { text: "secret!" } });
  const theirs = await app.ask("bob", state);
  const missing = await app.ask("bob", "GET /graphs/shout/threads/none/state");
  expect([theirs.status, theirs.text.replace(thread, "none")]).toEqual([404, missing.text]);
  expect((await app.askAsSystem(state)).status).toBe(200);
});

test("an invocation goes on with the caller's own conversation, and with nobody else's", async () => {
  await using own = await appWithUsers({ graphs: [{ name: "counter", graph: counter }] });
  const body = {
    input: { messages: [{ role: "user", content: "Hi" }] },
    config: { configurable: { thread_id: "t" } },
  };
  const invoke = async (user: string) => own.ask(user, "POST /graphs/counter/invoke", { body });
  expect((await invoke("ada")).text).toContain("message 1");
  expect((await invoke("bob")).status).toBe(404);
  expect((await invoke("ada")).text).toContain("message 3");
});

test("a background run is the caller's to see and to stop", async () => {
  const { graph, open, entered } = gated();
  await using own = await appWithUsers({ graphs: [{ name: "gated", graph }] });
  const made = await own.ask("ada", "POST /graphs/gated/runs", { body: { input: { text: "secret" } } });
  const path = `/graphs/gated/runs/${textOf(made, "run_id")}`;
  await entered;
  expect((await own.ask("bob", `POST ${path}/cancel`)).status).toBe(404);
  expect((await own.ask("bob", `GET ${path}`)).status).toBe(404);
  expect((await own.ask("ada", `GET ${path}`)).body).toMatchObject({ status: "running" });
  open();
  await Promise.allSettled(own.parts.running);
  expect((await own.ask("ada", `GET ${path}`)).body).toMatchObject({
    status: "success",
    output: { text: "secret after all" },
  });
});

test("a repeated invocation is each caller's own", async () => {
  const headers = { "idempotency-key": "native" };
  const body = { input: { text: "a" }, config: {} };
  const send = async (user: string) => app.ask(user, "POST /graphs/shout/runs", { body, headers });
  const [first, theirs, again] = [await send("ada"), await send("bob"), await send("ada")];
  expect(textOf(again, "run_id")).toBe(textOf(first, "run_id"));
  expect(textOf(theirs, "run_id")).not.toBe(textOf(first, "run_id"));
});

test("a graph's context factory is told who asks", async () => {
  asked.length = 0;
  const body = { input: { text: "a" } };
  const signedIn = await app.ask("ada", "POST /graphs/told/invoke", { body });
  expect(signedIn.body).toMatchObject({ output: { report: { context: { greeting: "Hello ada" } } } });
  const stranger = await app.ask(undefined, "POST /graphs/told/invoke", { body });
  expect(stranger.body).toMatchObject({ output: { report: { context: { greeting: "Hello stranger" } } } });
  expect(asked).toEqual([makeUser("ada"), undefined]);
});

describe("a graph that is open to all", () => {
  test("serves callers without credentials, and only on its own endpoints", async () => {
    const body = { input: { text: "a" } };
    expect((await app.ask(undefined, "POST /graphs/open/invoke", { body })).status).toBe(200);
    expect((await app.ask(undefined, "POST /graphs/open/stream", { body })).status).toBe(200);
    expect((await app.ask(undefined, "POST /graphs/shout/invoke", { body })).status).toBe(401);
    const platform = { body: { assistant_id: "open", ...body } };
    expect((await app.ask(undefined, "POST /runs/wait", platform)).status).toBe(401);
  });

  test("keeps what strangers make from users, and what users make from strangers", async () => {
    const [strange, owned] = [newThread(), newThread()];
    const invoke = async (user: string | undefined, thread: string) =>
      app.ask(user, "POST /graphs/open/invoke", on(thread));
    expect((await invoke(undefined, strange)).status).toBe(200);
    expect((await invoke("ada", owned)).status).toBe(200);
    expect((await invoke("ada", strange)).status).toBe(404);
    expect((await invoke(undefined, owned)).status).toBe(404);
    const stateOf = (thread: string): string => `GET /graphs/open/threads/${thread}/state`;
    expect((await app.ask("ada", stateOf(strange))).status).toBe(404);
    expect((await app.ask(undefined, stateOf(owned))).status).toBe(404);
    // Strangers cannot be told apart: the thread's id is all that there is to know.
    expect((await app.ask(undefined, stateOf(strange))).status).toBe(200);
  });

  test("keeps strangers from the state that was left without a record", async () => {
    const [left, thread] = [newThread(), newThread()];
    await app.askAsSystem("POST /graphs/open/invoke", on(thread));
    await app.database.query("update public.checkpoints set thread_id = $1 where thread_id = $2", [
      left,
      thread,
    ]);
    expect((await app.ask(undefined, "POST /graphs/open/invoke", on(left))).status).toBe(404);
    expect((await app.ask(undefined, `GET /graphs/open/threads/${left}/state`)).status).toBe(404);
    expect((await app.askAsSystem(`GET /graphs/open/threads/${left}/state`)).status).toBe(200);
  });

  test("has a run of a stranger seen and stopped by who knows its id, and by no user", async () => {
    const made = await app.ask(undefined, "POST /graphs/open/runs", { body: { input: { text: "a" } } });
    const path = `/graphs/open/runs/${textOf(made, "run_id")}`;
    expect((await app.ask("ada", `GET ${path}`)).status).toBe(404);
    expect((await app.ask("ada", `POST ${path}/cancel`)).status).toBe(404);
    expect((await app.ask(undefined, `GET ${path}`)).status).toBe(200);
    expect((await app.ask(undefined, `POST ${path}/cancel`)).status).toBe(202);
  });
});
