/** Routes say what their callers must be allowed to do: one that does not is not served, one that does not ask is not answered. */

import { expect, test } from "vitest";
import { createRouter, type Route } from "../../src/http/router.ts";

const errors: unknown[] = [];
const logger = {
  info: () => undefined,
  warn: () => undefined,
  error: (fields: object) => errors.push(fields),
};

function serve(route: Partial<Route>) {
  const whole: object = {
    method: "GET",
    path: "/threads/{thread_id}",
    authLevel: "anonymous",
    isRateLimited: false,
    docs: { operationId: "get", summary: "", tag: "threads", responses: {} },
    handle: () => Response.json({ secret: true }),
    ...route,
  };
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- what is not declared is the point
  const routes = [whole as Route];
  const rest = { prefix: "api", logger, streamLimit: undefined };
  const none = async (): Promise<undefined> => undefined;
  const router = createRouter({
    ...rest,
    routes,
    platform: async () => [],
    limiter: none,
    authenticator: none,
  });
  return async () => {
    const { signal } = new AbortController();
    return router(new Request("http://localhost/api/threads/t"), { signal, authLevel: "anonymous" });
  };
}

test.each([[undefined], ["threads:peek"], [[]], [["threads:read", "threads:peek"]], ["everybody"]])(
  "an app with a route whose permission is %j does not start",
  (permission) => {
    const undeclared: object = permission === undefined ? {} : { permission };
    expect(() => serve(undeclared)).toThrow(
      "GET /threads/{thread_id} does not declare which permission its callers need",
    );
  },
);

test("an answer for which nobody was asked is not given", async () => {
  const answer = await serve({ permission: "threads:read" })();
  expect(answer.status).toBe(500);
  expect(await answer.text()).not.toContain("secret");
  expect(errors).toMatchObject([
    { err: { message: "GET /threads/{thread_id} has answered without asking for threads:read" } },
  ]);
});

test("an answer is given when one of what is declared was asked for", async () => {
  const ask = serve({
    permission: ["threads:read", "threads:update"],
    handle: async ({ caller }) => Response.json((await caller.authorize("threads:update", { a: 1 })).value),
  });
  expect(await (await ask()).json()).toEqual({ a: 1 });
  expect((await serve({ permission: "public" })()).status).toBe(200);
});
