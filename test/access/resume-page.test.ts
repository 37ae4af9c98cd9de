import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { ask, makeLink, open, respond, settled, startAsking, submit } from "../support/resume-links.ts";

beforeEach(() => void vi.stubEnv("RESUME_LINK_SECRETS", "a-secret-of-the-tests-of-32-bytes-or-more"));
afterEach(() => void vi.unstubAllEnvs());

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
  const answers = [
    await open(link),
    await open({ url: `${server.url}/resume/x` }),
    await submit(link, "nonsense=1"),
    await respond(link, 1),
    await open(link),
  ];
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
