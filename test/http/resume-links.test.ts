import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { askingGraphs, ask, makeLink, open, pending, respond, runCount, settled, startAsking, submit } from "../support/resume-links.ts";
import { allEvents } from "../support/events.ts";

const SECRET = "a-secret-of-the-tests-of-32-bytes-or-more";
const OTHER = "another-secret-of-the-tests-just-as-long";

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
  expect({ thread_id, interrupt_id }).toEqual({ thread_id: "t", interrupt_id: (await pending(server))["May I?"] });
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

test("of many answers at the same instant, one counts", async () => {
  await using server = await startAsking();
  await ask(server);
  const link = await makeLink(server);
  const answers = await Promise.all(Array.from({ length: 12 }, async (_, index) => respond(link, index)));
  expect(answers.map(({ status }) => status).sort()).toEqual([202, ...Array.from({ length: 11 }, () => 410)]);
  const winner = answers.findIndex(({ status }) => status === 202);
  expect(await settled(server)).toMatchObject({ text: winner });
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
  await vi.waitFor(async () => expect(await left()).toEqual([{ link_id: kept.link_id }]), { timeout: 10_000 });
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

test("what is forged, cut short or changed is nobody's link, and costs no query", async () => {
  await using server = await startAsking();
  await ask(server);
  const { url } = await makeLink(server);
  const token = url.slice(-96);
  const base = url.slice(0, -96);
  const flipped = Array.from({ length: 96 }, (_, at) =>
    [token.slice(0, at), token[at] === "A" ? "B" : "A", token.slice(at + 1)].join(""),
  );
  const forged = [...flipped, token.slice(0, -1), `${token}A`, token.slice(1), "x", "%00", "A".repeat(96)];
  await server.database.query("alter table langgraph.resume_links rename to away");
  for (const one of forged) {
    expect((await open({ url: base + one })).status, one).toBe(404);
    expect((await respond({ url: base + one }, "yes")).body).toMatchObject({ error: "not_found" });
  }
  await server.database.query("alter table langgraph.away rename to resume_links");
  expect((await respond({ url }, "yes")).status).toBe(202);
});

test("secrets go from one to the next without a link being lost, until the old one is gone", async () => {
  await using server = await startAsking();
  await ask(server);
  const { url } = await makeLink(server);
  const path = url.slice(server.url.length);
  for (const [secrets, status] of [
    [OTHER, 404],
    [`${OTHER},${SECRET}`, 200],
    [`${SECRET} ${OTHER}`, 200],
  ] as const) {
    vi.stubEnv("RESUME_LINK_SECRETS", secrets);
    await using next = await startAsking({ local: { databaseUrl: server.database.url } });
    expect((await next.get(path)).status).toBe(status);
  }
  vi.stubEnv("RESUME_LINK_SECRETS", `${OTHER},${SECRET}`);
  await using next = await startAsking({ local: { databaseUrl: server.database.url } });
  const newer = (await makeLink(next)).url.slice(next.url.length);
  expect((await server.get(newer)).status).toBe(404); // signed with the first of them
});

test("without secrets there are no links, and the refusal names the setting", async () => {
  await using server = await startAsking();
  await ask(server);
  const { url } = await makeLink(server);
  vi.stubEnv("RESUME_LINK_SECRETS", "");
  await using without = await startAsking({ local: { databaseUrl: server.database.url } });
  const refused = await without.post("/threads/t/resume-links", {});
  expect([refused.status, refused.text]).toEqual([422, expect.stringContaining("RESUME_LINK_SECRETS")]);
  expect((await without.get(url.slice(server.url.length))).status).toBe(404);
});

test("an instance says what is wrong with the secrets", async () => {
  vi.stubEnv("RESUME_LINK_SECRETS", `${SECRET},too-short`);
  await expect(startAsking()).rejects.toThrow(/RESUME_LINK_SECRETS: must be secrets of 32 bytes or more/);
  await expect(startAsking()).rejects.not.toThrow(/too-short/);
});

test("what an interrupt, a message or a label says is text in the page", async () => {
  await using server = await startAsking();
  const hostile = `"'></p></pre><script>alert(1)</script><img src=x onerror=alert(1)>&amp;`;
  for (const value of [hostile, { [hostile]: [hostile] }]) {
    await ask(server, { input: { value } });
    const link = await makeLink(server, { message: hostile, choices: [{ label: hostile, response: 1 }] });
    const { text, headers } = await open(link);
    expect(text).not.toMatch(/<script|<img|&amp;/);
    expect(text.match(/&#60;script&#62;/g)?.length).toBeGreaterThanOrEqual(3);
    expect(headers.get("content-security-policy")).toMatch(
      /^default-src 'none'; style-src 'sha256-[^']+'; .*form-action 'self'; frame-ancestors 'none'$/,
    );
    await respond(link, 1);
    await settled(server);
  }
});

test("no answer below a link is kept, listed or framed, or says where it came from", async () => {
  await using server = await startAsking();
  await ask(server);
  const link = await makeLink(server);
  const answers = [await open(link), await open({ url: `${server.url}/resume/x` }), await submit(link, "nonsense=1"), await respond(link, 1), await open(link)];
  expect(answers.map(({ status }) => status)).toEqual([200, 404, 422, 202, 410]);
  for (const { headers } of answers)
    expect(Object.fromEntries(headers)).toMatchObject({
      "cache-control": "no-store",
      "referrer-policy": "no-referrer",
      "x-frame-options": "DENY",
      "x-content-type-options": "nosniff",
      "x-robots-tag": "noindex, nofollow",
    });
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

test("the run of an answer has the config and the context of the run that asked", async () => {
  await using server = await startAsking();
  const config = { configurable: { tone: "kind" }, recursion_limit: 7 };
  await ask(server, { config, context: { team: "pumps" } });
  const { body } = await respond(await makeLink(server), "yes");
  await settled(server);
  const { run_id } = Object(body);
  expect((await server.get(`/threads/t/runs/${run_id}`)).body).toMatchObject({
    status: "success",
    assistant_id: expect.any(String),
    metadata: { graph_id: "pausing" },
    kwargs: { config: { configurable: { tone: "kind" }, recursionLimit: 7 }, context: { team: "pumps" } },
  });
});

test("nothing that opens a link is stored", async () => {
  await using server = await startAsking();
  await ask(server);
  const { url } = await makeLink(server, { choices });
  const [row] = await server.database.query("select l::text as stored from langgraph.resume_links l");
  expect(row?.["stored"]).not.toContain(url.slice(-96));
  expect(row?.["stored"]).not.toContain(url.slice(-43));
});
