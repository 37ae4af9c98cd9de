import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { appWithUsers, textOf, type AppWithUsers } from "../support/users.ts";
import { allEvents } from "../support/events.ts";
import { gated, shout } from "../support/graphs.ts";

let app: AppWithUsers;

beforeAll(async () => {
  app = await appWithUsers({ graphs: [{ name: "shout", graph: shout }] });
});

afterAll(async () => app[Symbol.asyncDispose]());

const GONE = "00000000-0000-4000-8000-000000000000";
const run = { assistant_id: "shout", input: { text: "secret" } };
const later = { ...run, after_seconds: 3_600 };

let threads = 0;

/** A thread of its own for each test. */
function newThread(): string {
  return `thread-${(threads += 1)}`;
}

async function runOf(user: string, thread: string, body: object = run): Promise<string> {
  const answer = await app.ask(user, `POST /threads/${thread}/runs`, {
    body: { ...body, if_not_exists: "create" },
  });
  expect(answer.status).toBe(200);
  return textOf(answer, "run_id");
}

async function finished(user: string, thread: string, runId: string): Promise<void> {
  expect((await app.ask(user, `GET /threads/${thread}/runs/${runId}/join`)).status).toBe(200);
}

async function statusOf(runId: string): Promise<unknown> {
  const [found] = await app.database.query("select status from langgraph.runs where run_id = $1", [runId]);
  return found?.["status"];
}

describe("a run on another user's thread", () => {
  test.each([
    ["POST /threads/T/runs", run],
    ["POST /threads/T/runs", { ...run, if_not_exists: "create" }],
    ["POST /threads/T/runs", { ...run, if_not_exists: "create", multitask_strategy: "reject" }],
    ["POST /threads/T/runs", { ...run, if_not_exists: "create", multitask_strategy: "interrupt" }],
    ["POST /threads/T/runs", { ...run, if_not_exists: "create", multitask_strategy: "rollback" }],
    ["POST /threads/T/runs", { ...run, if_not_exists: "create", after_seconds: 10 }],
    ["POST /threads/T/runs/wait", { ...run, if_not_exists: "create" }],
    ["POST /threads/T/runs/stream", { ...run, if_not_exists: "create" }],
    ["POST /graphs/shout/invoke", { input: { text: "x" }, config: { configurable: { thread_id: "T" } } }],
    ["POST /graphs/shout/stream", { input: { text: "x" }, config: { configurable: { thread_id: "T" } } }],
    ["POST /graphs/shout/runs", { input: { text: "x" }, config: { configurable: { thread_id: "T" } } }],
  ])("is not made: %s with %j is what a missing thread is", async (endpoint, body) => {
    const thread = newThread();
    const active = await runOf("ada", thread, later);
    const there = (text: string): string =>
      text.replaceAll('"T"', `"${thread}"`).replace("/T/", `/${thread}/`);
    const sent: unknown = JSON.parse(there(JSON.stringify(body)));
    const answer = await app.ask("bob", there(endpoint), { body: sent });
    expect([answer.status, answer.body]).toEqual([
      404,
      { error: "not_found", detail: `Thread '${thread}' not found` },
    ]);
    expect(await statusOf(active)).toBe("pending");
    const runs = await app.database.query("select run_id from langgraph.runs where thread_id = $1", [thread]);
    expect(runs).toEqual([{ run_id: active }]);
    const [kept] = await app.database.query(
      "select owner, active_runs, metadata from langgraph.threads where thread_id = $1",
      [thread],
    );
    expect(kept).toMatchObject({ owner: "ada", active_runs: 1, metadata: { graph_id: "shout" } });
  });

  test("is not made either when two ask for the new thread at the same moment: one of them has it", async () => {
    for (let round = 0; round < 10; round += 1) {
      const thread = newThread();
      const answers = await Promise.all(
        ["ada", "bob"].map(async (user) =>
          app.ask(user, `POST /threads/${thread}/runs`, { body: { ...later, if_not_exists: "create" } }),
        ),
      );
      expect(answers.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([200, 404]);
      const winner = answers[0]?.status === 200 ? "ada" : "bob";
      const [kept] = await app.database.query(
        "select owner, active_runs from langgraph.threads where thread_id = $1",
        [thread],
      );
      expect(kept).toEqual({ owner: winner, active_runs: 1 });
    }
  });

  test("finds nothing of a thread from before callers were told apart", async () => {
    const thread = newThread();
    const body = { ...run, if_not_exists: "create" };
    expect((await app.askAsSystem(`POST /threads/${thread}/runs/wait`, { body })).status).toBe(200);
    expect((await app.ask("ada", `POST /threads/${thread}/runs/wait`, { body })).status).toBe(404);
  });

  test("cannot take over the state that a checkpointer has left without a record", async () => {
    const thread = newThread();
    await runOf("ada", "elsewhere", run).then(async (id) => finished("ada", "elsewhere", id));
    await app.database.query("update public.checkpoints set thread_id = $1 where thread_id = 'elsewhere'", [
      thread,
    ]);
    const body = { ...run, if_not_exists: "create" };
    for (const user of ["ada", "bob"])
      expect((await app.ask(user, `POST /threads/${thread}/runs/wait`, { body })).status).toBe(404);
    expect((await app.ask("ada", `GET /graphs/shout/threads/${thread}/state`)).status).toBe(404);
    expect((await app.askAsSystem(`POST /threads/${thread}/runs/wait`, { body })).status).toBe(200);
  });
});

describe("a run of another user", () => {
  test.each([
    ["GET /threads/T/runs/R", 404],
    ["GET /threads/T/runs/R/join", 404],
    ["GET /threads/T/runs/R/join?cancel_on_disconnect=1", 404],
    ["GET /threads/T/runs/R/stream", 404],
    ["GET /threads/T/runs/R/stream?cancel_on_disconnect=1", 404],
    ["GET /runs/R/stream", 404],
    ["POST /threads/T/runs/R/cancel", 404],
    ["POST /threads/T/runs/R/cancel?wait=1&action=rollback", 404],
    ["DELETE /threads/T/runs/R", 404],
    ["GET /graphs/shout/runs/R", 404],
    ["POST /graphs/shout/runs/R/cancel", 404],
  ])(
    "is out of reach, active or over: %s answers %i, as for a run that there is not",
    async (endpoint, status) => {
      const thread = newThread();
      const over = await runOf("ada", thread);
      await finished("ada", thread, over);
      const active = await runOf("ada", thread, later);
      const own = newThread();
      await runOf("bob", own, later);
      for (const runId of [over, active])
        for (const place of [thread, own]) {
          const at = (id: string): string => endpoint.replace("/T/", `/${place}/`).replace("/R", `/${id}`);
          const answer = await app.ask("bob", at(runId));
          const missing = await app.ask("bob", at(GONE));
          expect([answer.status, answer.text.replaceAll(runId, GONE)]).toEqual([status, missing.text]);
        }
      expect([await statusOf(over), await statusOf(active)]).toEqual(["success", "pending"]);
    },
  );

  test("is not in any list, nor in its total", async () => {
    const thread = newThread();
    await runOf("ada", thread, later);
    const mine = await app.ask("ada", `GET /threads/${thread}/runs`);
    expect([mine.body, mine.headers.get("x-pagination-total")]).toEqual([[expect.anything()], "1"]);
    const theirs = await app.ask("bob", `GET /threads/${thread}/runs?limit=1`);
    expect([theirs.status, theirs.body]).toEqual([200, []]);
    expect(theirs.headers.get("x-pagination-total")).toBe("0");
    expect(theirs.headers.get("x-pagination-next")).toBeNull();
  });

  test("is not stopped by one that stops many, by ids or by status", async () => {
    const thread = newThread();
    const theirs = await runOf("ada", thread, later);
    const own = newThread();
    const stopped = await runOf("bob", own, later);
    const byIds = { thread_id: thread, run_ids: [theirs] };
    expect((await app.ask("bob", "POST /runs/cancel", { body: byIds })).status).toBe(204);
    for (const status of ["pending", "running", "all"])
      expect((await app.ask("bob", "POST /runs/cancel", { body: { status } })).status).toBe(204);
    expect([await statusOf(theirs), await statusOf(stopped)]).toEqual(["pending", "interrupted"]);
  });

  test("can be followed by nobody else while it executes here, by whichever thread it is asked for", async () => {
    const { graph, open, entered } = gated();
    await using own = await appWithUsers({
      graphs: [
        { name: "gated", graph },
        { name: "shout", graph: shout },
      ],
    });
    const body = { assistant_id: "gated", input: { text: "secret" }, if_not_exists: "create" };
    const id = textOf(await own.ask("ada", "POST /threads/t/runs", { body }), "run_id");
    await entered;
    const made = await own.ask("bob", "POST /threads", { body: { thread_id: "mine" } });
    expect(made.status).toBe(200);
    for (const path of [`/threads/t/runs/${id}`, `/threads/mine/runs/${id}`, `/runs/${id}`]) {
      const answer = await own.ask("bob", `GET ${path}/stream`);
      expect([answer.status, answer.text]).toEqual([404, expect.not.stringContaining("secret")]);
    }
    open();
    expect((await own.ask("ada", `GET /threads/t/runs/${id}/join`)).body).toEqual({
      text: "secret after all",
    });
  });
});

describe("the log of a stateless run", () => {
  test("is read by whom the run belonged to, also when both are gone, and by nobody else", async () => {
    const answer = await app.ask("ada", "POST /runs/stream", { body: run });
    const location = answer.headers.get("location") ?? "";
    const [, id = ""] = /([0-9a-f-]{36})\/stream$/.exec(location) ?? [];
    expect(await statusOf(id)).toBeUndefined();
    for (const path of [location, `/runs/${id}/stream`]) {
      const ada = app.as("ada");
      const mine = await ada.fetch(new Request(`${ada.url}${path}`));
      expect((await allEvents(mine)).map(({ data }) => data)).toContainEqual({ text: "secret!" });
      const theirs = await app.ask("bob", `GET ${path}`);
      const missing = await app.ask("bob", `GET ${path.replaceAll(id, GONE)}`);
      expect([theirs.status, theirs.text.replaceAll(id, GONE)]).toEqual([404, missing.text]);
    }
    const join = location.replace(/stream$/, "join");
    expect((await app.ask("ada", `GET ${join}`)).body).toEqual({ text: "secret!" });
    expect((await app.ask("bob", `GET ${join}`)).status).toBe(404);
    await app.ask("bob", "POST /threads", { body: { thread_id: "bobs" } });
    expect((await app.ask("bob", `GET /threads/bobs/runs/${id}/stream`)).status).toBe(404);
    expect((await app.askAsSystem(`GET ${join}`)).body).toEqual({ text: "secret!" });
  });

  test("is nobody's to read who is told apart, when nobody was when it was written", async () => {
    const answer = await app.askAsSystem("POST /runs/stream", { body: run });
    const location = answer.headers.get("location") ?? "";
    expect((await app.askAsSystem(`GET ${location}`)).status).toBe(200);
    expect((await app.ask("ada", `GET ${location}`)).status).toBe(404);
  });

  test("goes with the events, when a tick finds that they are old", async () => {
    await using own = await appWithUsers({ graphs: [{ name: "shout", graph: shout }] });
    const answer = await own.ask("ada", "POST /runs/stream", { body: run });
    await own.tick();
    const count = "select count(*)::int as threads from langgraph.ended_threads";
    expect(await own.database.query(count)).toEqual([{ threads: 1 }]);
    await own.database.query("update langgraph.ended_threads set ended_at = ended_at - interval '2 days'");
    await own.tick();
    expect(await own.database.query(count)).toEqual([{ threads: 0 }]);
    expect((await own.ask("ada", `GET ${answer.headers.get("location")}`)).status).toBe(404);
  });
});

describe("what belongs to nobody in particular", () => {
  test.each([
    ["POST /threads/t/runs", run],
    ["POST /runs", run],
    ["POST /runs/wait", run],
    ["POST /runs/stream", run],
    ["POST /runs/batch", [run]],
    ["POST /runs/cancel", { status: "all" }],
    ["GET /threads/t/runs", undefined],
    [`GET /threads/t/runs/${GONE}`, undefined],
    [`DELETE /threads/t/runs/${GONE}`, undefined],
    [`POST /threads/t/runs/${GONE}/cancel`, undefined],
    [`GET /threads/t/runs/${GONE}/join`, undefined],
    [`GET /runs/${GONE}/stream`, undefined],
  ])("is not to be had without signing in: %s", async (endpoint, body) => {
    expect((await app.ask(undefined, endpoint, { body })).status).toBe(401);
  });

  test("the same idempotency key of two users is two keys, and of one user one", async () => {
    const headers = { "idempotency-key": "the same" };
    const asked = [
      await app.ask("ada", "POST /runs", { body: later, headers }),
      await app.ask("bob", "POST /runs", { body: later, headers }),
      await app.ask("ada", "POST /runs", { body: later, headers }),
      await app.askAsSystem("POST /runs", { body: later, headers }),
    ];
    const ids = asked.map((answer) => textOf(answer, "run_id"));
    expect(ids[2]).toBe(ids[0]);
    expect(new Set(ids).size).toBe(3);
    expect(asked.map((answer) => answer.headers.get("idempotent-replayed"))).toEqual([
      null,
      null,
      "true",
      null,
    ]);
  });

  test("each run of a batch is the caller's", async () => {
    const { body } = await app.ask("ada", "POST /runs/batch", { body: [later, later] });
    const owners = await app.database.query(
      "select owner from langgraph.threads where thread_id in (select x ->> 'thread_id' from jsonb_array_elements($1::jsonb) x)",
      [JSON.stringify(body)],
    );
    expect(owners).toEqual([{ owner: "ada" }, { owner: "ada" }]);
  });
});
