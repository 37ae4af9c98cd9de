import { expect, test } from "vitest";
import { appWithUsers } from "../support/users.ts";
import { shout } from "../support/graphs.ts";
import type { Answer } from "../support/server.ts";
import { watchStatements, type Watched } from "../support/statements.ts";

const run = { assistant_id: "shout", input: { text: "a" } };

/** Heartbeats, reads of the log and saved states come as often as there is time for them. */
function isAsked(statement: string): boolean {
  return !/^\s*with fence as|as wanted \(number|runs set lease_until/.test(statement);
}

test("who signs in costs no statement more than who need not", async () => {
  const watched: Watched[] = [];
  await using own = await appWithUsers({
    graphs: [{ name: "shout", graph: shout }],
    via: async (url) => {
      const way = await watchStatements(url);
      watched.push(way);
      return way;
    },
  });
  const [{ statements } = { statements: [] }] = watched;
  const inOrder = async (ask: (endpoint: string, body?: unknown) => Promise<Answer>, thread: string) => {
    const counts: number[] = [];
    const counted = async (endpoint: string, body?: unknown): Promise<Answer> => {
      const before = statements.filter(isAsked).length;
      const answer = await ask(endpoint, body);
      expect([endpoint, answer.status]).toEqual([endpoint, 200]);
      await Promise.allSettled(own.parts.running);
      counts.push(statements.filter(isAsked).length - before);
      return answer;
    };
    const body = { ...run, if_not_exists: "create" };
    const waited = await counted(`POST /threads/${thread}/runs/wait`, body);
    const path = waited.headers.get("content-location") ?? "";
    await counted(`POST /threads/${thread}/runs/wait`, body);
    await counted("POST /runs/wait", run);
    await counted("POST /graphs/shout/invoke", { input: { text: "a" } });
    await counted(`GET ${path}`);
    await counted(`GET /threads/${thread}/runs`);
    await counted(`GET ${path}/join`);
    await counted(`GET ${path}/stream?cancel_on_disconnect=0`);
    return counts;
  };
  const asSystem = async (endpoint: string, body?: unknown) => own.askAsSystem(endpoint, { body });
  const asAda = async (endpoint: string, body?: unknown) => own.ask("ada", endpoint, { body });
  await inOrder(asSystem, "warm");
  expect(await inOrder(asAda, "ada")).toEqual(await inOrder(asSystem, "system"));
  for (const way of watched) await way[Symbol.asyncDispose]();
});
