import { afterEach, beforeEach, expect, test, vi } from "vitest";
import {
  ask,
  makeLink,
  open,
  pending,
  respond,
  runCount,
  settled,
  startAsking,
  submit,
} from "../support/resume-links.ts";

const SECRET = "a-secret-of-the-tests-of-32-bytes-or-more";

beforeEach(() => void vi.stubEnv("RESUME_LINK_SECRETS", SECRET));
afterEach(() => void vi.unstubAllEnvs());

const choices = [
  { label: "Approve", response: { approved: true, by: ["mail"] } },
  { label: "Reject", response: false },
];

test("a link is good for a day, below the address where it was asked for, and names what it answers", async () => {
  await using server = await startAsking();
  await ask(server);
  const before = Date.now();
  const { url, expires_at, thread_id, interrupt_id } = await makeLink(server);
  expect(url).toMatch(new RegExp(`^${server.url}/resume/[\\w-]{96}$`));
  expect(Date.parse(expires_at) - before).toBeGreaterThanOrEqual(86_400_000);
  expect({ thread_id, interrupt_id }).toEqual({
    thread_id: "t",
    interrupt_id: (await pending(server))["May I?"],
  });
});

test("a click on a button answers with the choice's response, and is thanked for", async () => {
  await using server = await startAsking();
  await ask(server);
  const link = await makeLink(server, { choices, message: "An order of 3 pumps." });
  const page = await open(link);
  expect(page.status).toBe(200);
  for (const shown of ["An order of 3 pumps.", "May I?", ">Approve</button>", ">Reject</button>"])
    expect(page.text).toContain(shown);
  const thanks = await submit(link, { choice: "0" });
  expect([thanks.status, thanks.text]).toEqual([202, expect.stringContaining("Thank you")]);
  expect(await settled(server)).toMatchObject({ text: choices[0]?.response });
});

test("an answer that is false, or nothing, is an answer", async () => {
  await using server = await startAsking();
  for (const response of [false, null, 0, ""]) {
    await ask(server);
    expect((await respond(await makeLink(server), response)).status).toBe(202);
    expect(await settled(server)).toMatchObject({ text: response });
  }
});

test("a program answers in JSON, and learns which run goes on", async () => {
  await using server = await startAsking();
  await ask(server);
  const link = await makeLink(server);
  const shown = await open(link, { accept: "application/json" });
  expect(shown.body).toEqual({
    thread_id: "t",
    interrupt_id: link.interrupt_id,
    value: "May I?",
    message: null,
    choices: null,
    expires_at: link.expires_at,
  });
  const { status, body } = await respond(link, { any: ["thing"] });
  expect([status, body]).toEqual([202, { run_id: expect.any(String), thread_id: "t" }]);
  expect(await settled(server)).toMatchObject({ text: { any: ["thing"] } });
});

test("without choices, the page asks for text, which comes with its lines", async () => {
  await using server = await startAsking();
  await ask(server);
  const link = await makeLink(server);
  expect((await open(link)).text).toContain('<textarea id="text" name="text"');
  expect((await submit(link, { text: "Yes,\r\nplease <b>" })).status).toBe(202);
  expect(await settled(server)).toMatchObject({ text: "Yes,\nplease <b>" });
});

test("programs that look at links before people do change nothing", async () => {
  await using server = await startAsking();
  await ask(server);
  const link = await makeLink(server, { choices });
  const runs = await runCount(server);
  for (const method of ["GET", "HEAD", "GET", "OPTIONS", "PUT"]) await fetch(link.url, { method });
  expect(await runCount(server)).toBe(runs);
  expect((await open(link)).status).toBe(200);
  expect((await respond(link, false)).status).toBe(202);
});

test("a link is used once: what comes later is told so, and nothing is done", async () => {
  await using server = await startAsking();
  await ask(server);
  const link = await makeLink(server);
  await respond(link, "first");
  await settled(server);
  const runs = await runCount(server);
  const again = await respond(link, "second");
  expect([again.status, again.body]).toEqual([410, { error: "link_used", detail: expect.any(String) }]);
  const page = await open(link);
  expect([page.status, page.text]).toEqual([410, expect.stringContaining("Already answered")]);
  expect(await runCount(server)).toBe(runs);
  expect(await settled(server)).toMatchObject({ text: "first" });
});

test("a link is good while others are put in line and taken out again, and void when that goes on for ever", async () => {
  await using server = await startAsking();
  await ask(server);
  const link = await makeLink(server);
  const putInLine = async (runs: number) =>
    server.database.query(
      `insert into langgraph.runs (run_id, thread_id, assistant_id, status, kwargs, multitask_strategy,
        created_at, updated_at, graph_id, due_at, woken_at)
      select gen_random_uuid(), thread_id, assistant_id, 'interrupted', kwargs, multitask_strategy,
        created_at, updated_at, graph_id, due_at, woken_at
      from (select * from langgraph.runs order by position limit 1) asked cross join generate_series(1, $1::int)`,
      [runs],
    );
  await putInLine(100);
  expect((await open(link)).status).toBe(200);
  await putInLine(1_000);
  expect((await open(link)).status).toBe(410);
});

test("of many answers at the same instant, one counts", async () => {
  await using server = await startAsking();
  await ask(server);
  const link = await makeLink(server);
  const answers = await Promise.all(Array.from({ length: 12 }, async (_, index) => respond(link, index)));
  expect(answers.filter(({ status }) => status === 202)).toHaveLength(1);
  // Who finds the link good and the thread at work already is asked to try again.
  const refused = answers.map(({ status }) => status).filter((status) => status !== 202);
  expect([409, 410]).toEqual(expect.arrayContaining(refused));
  const winner = answers.findIndex(({ status }) => status === 202);
  expect(await settled(server)).toMatchObject({ text: winner });
  expect((await respond(link, "again")).status).toBe(410);
  expect(await runCount(server)).toBe(2);
});

test("of two links to the same interrupt that are answered at the same instant, one counts", async () => {
  await using server = await startAsking();
  for (const thread of ["a", "b", "c", "d"]) {
    await ask(server, { thread });
    const links = [await makeLink(server, {}, thread), await makeLink(server, {}, thread)];
    const answers = await Promise.all(links.map(async (link) => respond(link, "yes")));
    expect(answers.filter(({ status }) => status === 202)).toHaveLength(1);
    await settled(server, thread);
    for (const link of links) expect((await respond(link, "again")).status).toBe(410);
  }
});

test("a link that has expired opens nothing, whether its row is still there or swept away", async () => {
  await using server = await startAsking();
  await ask(server);
  const link = await makeLink(server, { expires_in: 1 });
  const kept = await makeLink(server);
  await vi.waitFor(async () => expect((await open(link)).status).toBe(410), { timeout: 10_000 });
  expect((await open(link)).text).toContain("Too late");
  expect((await respond(link, "yes")).body).toMatchObject({ error: "link_expired" });
  const left = async () => server.database.query("select link_id from langgraph.resume_links");
  await vi.waitFor(async () => expect(await left()).toEqual([{ link_id: kept.link_id }]), {
    timeout: 10_000,
  });
  expect((await respond(link, "yes")).body).toMatchObject({ error: "link_expired" });
  expect((await respond(kept, "yes")).status).toBe(202);
});

test("a link is void when its interrupt was answered in another way", async () => {
  await using server = await startAsking();
  await ask(server);
  const link = await makeLink(server);
  await server.post("/threads/t/runs/wait", { assistant_id: "pausing", command: { resume: "by the API" } });
  const page = await open(link);
  expect([page.status, page.text]).toEqual([410, expect.stringContaining("Nothing to answer any more")]);
  expect((await respond(link, "late")).body).toMatchObject({ error: "link_void" });
  await ask(server); // the same words, but another question
  expect((await respond(link, "late")).body).toMatchObject({ error: "link_void" });
  expect((await respond(await makeLink(server), "yes")).status).toBe(202);
});

test.each([{ "any id": "of mine" }, "first"])(
  "a link does not answer what the same node asks next, after %j: its interrupt has the same id",
  async (resume) => {
    await using server = await startAsking();
    await ask(server, { graph: "twice", input: {} });
    const link = await makeLink(server);
    await server.post("/threads/t/runs/wait", { assistant_id: "twice", command: { resume } });
    expect(await pending(server)).toEqual({ second: link.interrupt_id });
    expect((await respond(link, "late")).body).toMatchObject({ error: "link_void" });
    expect((await respond(await makeLink(server), "second")).status).toBe(202);
    expect(await settled(server)).toMatchObject({ answers: [resume, "second"] });
  },
);

test("each of the questions of one node can be answered by a link of its own", async () => {
  await using server = await startAsking();
  await ask(server, { graph: "twice", input: {} });
  await respond(await makeLink(server), { to: "first" });
  await settled(server);
  await respond(await makeLink(server), { to: "second" });
  expect(await settled(server)).toMatchObject({ answers: [{ to: "first" }, { to: "second" }] });
});

test("each of several interrupts has a link of its own, and stays open while others are answered", async () => {
  await using server = await startAsking();
  await ask(server, { graph: "both", input: {} });
  const unclear = await server.post("/threads/t/resume-links", {});
  const ids = await pending(server);
  expect([unclear.status, unclear.text]).toEqual([422, expect.stringContaining("interrupt_id: required")]);
  for (const id of Object.values(ids)) expect(unclear.text).toContain(id);
  const ada = await makeLink(server, { interrupt_id: ids["ada?"] });
  const bob = await makeLink(server, { interrupt_id: ids["bob?"] });
  expect((await respond(bob, 2)).status).toBe(202);
  await settled(server);
  expect((await open(ada)).text).toContain("ada?");
  expect((await respond(bob, 3)).body).toMatchObject({ error: "link_used" });
  expect((await respond(ada, 1)).status).toBe(202);
  expect(await settled(server)).toMatchObject({ answers: [{ ada: 1 }, { bob: 2 }] });
});

test("where there are choices, nothing else can be answered, and the link stays good", async () => {
  await using server = await startAsking();
  await ask(server);
  const link = await makeLink(server, { choices });
  expect((await respond(link, { approved: true })).body).toMatchObject({
    error: "invalid_request",
    detail: expect.stringContaining("response:"),
  });
  for (const fields of ["choice=2", "choice=-1", "choice=one", "text=Approve", "", "choice=0&more=1"])
    expect((await submit(link, fields)).status, fields).toBe(422);
  expect((await respond(link, { by: ["mail"], approved: true })).status).toBe(202);
  expect(await settled(server)).toMatchObject({ text: choices[0]?.response });
});

test.each([
  ["{", 400],
  ["[]", 422],
  ["{}", 422],
  ['{"response":1,"more":2}', 422],
  ['{"response":"\\u0000"}', 422],
  [`{"response":${"[".repeat(40)}${"]".repeat(40)}}`, 400],
])("an answer that is none is refused, and the link stays good: %s", async (body, status) => {
  await using server = await startAsking();
  await ask(server);
  const link = await makeLink(server);
  const headers = { "content-type": "application/json" };
  expect((await fetch(link.url, { method: "POST", headers, body })).status).toBe(status);
  expect((await respond(link, "yes")).status).toBe(202);
});

test.each([
  [{ expires_in: 0 }, "expires_in"],
  [{ expires_in: 2_592_001 }, "expires_in"],
  [{ choices: [] }, "choices"],
  [{ choices: [{ label: "", response: 1 }] }, "choices.0.label"],
  [{ choices: [{ label: "a" }] }, "choices.0.response"],
  [{ choices: [{ label: "a", response: 1, icon: "x" }] }, "icon"],
  [{ message: 1 }, "message"],
  [{ webhook: "https://example.com" }, "webhook"],
])("a field that is not what was expected is named: %j", async (body, named) => {
  await using server = await startAsking();
  await ask(server);
  const { status, text } = await server.post("/threads/t/resume-links", body);
  expect([status, text]).toEqual([422, expect.stringContaining(named)]);
});

test("there are no links to threads that are not there, or that do not wait", async () => {
  await using server = await startAsking();
  const make = async (thread: string, body = {}) => server.post(`/threads/${thread}/resume-links`, body);
  expect((await make("nobody")).status).toBe(404);
  await server.post("/threads", { thread_id: "idle" });
  expect((await make("idle")).body).toMatchObject({ error: "not_interrupted" });
  await ask(server);
  expect(await make("t", { interrupt_id: "0".repeat(32) })).toMatchObject({
    status: 409,
    body: { error: "not_interrupted", detail: expect.stringContaining("0".repeat(32)) },
  });
  await respond(await makeLink(server), "yes");
  await settled(server);
  expect((await make("t")).status).toBe(409);
});

test("a link ends with its thread", async () => {
  await using server = await startAsking();
  await ask(server);
  const link = await makeLink(server);
  await server.get("/threads/t", { method: "DELETE" });
  expect((await open(link)).status).toBe(404);
  expect((await respond(link, "yes")).status).toBe(404);
  await ask(server); // another thread, of the same name
  expect((await respond(link, "yes")).status).toBe(404);
});

test("a link ends with the run that asked", async () => {
  await using server = await startAsking();
  await ask(server);
  const link = await makeLink(server);
  const [run] = await server.database.query("select run_id from langgraph.runs");
  await server.get(`/threads/t/runs/${String(run?.["run_id"])}`, { method: "DELETE" });
  expect((await respond(link, "yes")).status).toBe(404);
  const { status, body } = await server.post("/threads/t/resume-links", {});
  expect([status, body]).toEqual([
    409,
    { error: "not_interrupted", detail: expect.stringContaining("is gone") },
  ]);
});

test("the run of an answer has the config and the context of the run that asked", async () => {
  await using server = await startAsking();
  const config = { configurable: { tone: "kind" }, recursion_limit: 7 };
  await ask(server, { config, context: { team: "pumps" } });
  const { body } = await respond(await makeLink(server), "yes");
  await settled(server);
  expect((await server.get(`/threads/t/runs/${Object(body).run_id}`)).body).toMatchObject({
    status: "success",
    assistant_id: expect.any(String),
    metadata: { graph_id: "pausing" },
    kwargs: { config: { configurable: { tone: "kind" }, recursionLimit: 7 }, context: { team: "pumps" } },
  });
});
