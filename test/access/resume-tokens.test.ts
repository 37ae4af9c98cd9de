import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { ask, makeLink, open, respond, startAsking } from "../support/resume-links.ts";

const SECRET = "a-secret-of-the-tests-of-32-bytes-or-more";
const OTHER = "another-secret-of-the-tests-just-as-long";

beforeEach(() => void vi.stubEnv("RESUME_LINK_SECRETS", SECRET));
afterEach(() => void vi.unstubAllEnvs());

test("what is forged, cut short or changed is nobody's link, and costs no query", async () => {
  await using server = await startAsking();
  await ask(server);
  const { url } = await makeLink(server);
  const token = url.slice(-96);
  const base = url.slice(0, -96);
  const flipped = Array.from({ length: 96 }, (_, at) =>
    [token.slice(0, at), token[at] === "A" ? "B" : "A", token.slice(at + 1)].join(""),
  );
  const forged = [...flipped, token.slice(0, -1), `${token}A`, token.slice(1), "x", "A".repeat(96)];
  await server.database.query("alter table langgraph.resume_links rename to away");
  for (const one of forged) {
    expect((await open({ url: base + one })).status, one).toBe(404);
    expect((await respond({ url: base + one }, "yes")).body).toMatchObject({ error: "not_found" });
  }
  expect((await open({ url: `${base}%00` })).status).toBe(422);
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

test("nothing that opens a link is stored", async () => {
  await using server = await startAsking();
  await ask(server);
  const { url } = await makeLink(server, { message: "a" });
  const [row] = await server.database.query("select l::text as stored from langgraph.resume_links l");
  expect(row?.["stored"]).not.toContain(url.slice(-96));
  expect(row?.["stored"]).not.toContain(url.slice(-43));
});
