/** The ids of default assistants follow from the names of their graphs, and can be known before the graph is deployed. */

import { expect, test } from "vitest";
import { assistantIdOf } from "../../src/core/default-assistants.ts";
import { appWithUsers } from "../support/users.ts";
import { counter, shout } from "../support/graphs.ts";

const id = assistantIdOf("future");
const planted = {
  graph_id: "counter",
  assistant_id: id,
  name: "Bob's",
  config: { configurable: { endpoint: "https://bob.example" } },
  context: { of: "bob" },
  metadata: { by: "bob" },
};
const graphs = [{ name: "counter", graph: counter }];

test.each<[what: string, endpoint: string, body: object | undefined, expected: object]>([
  ["run", "POST /runs/wait", { assistant_id: "future", input: { text: "hi" } }, { text: "hi!" }],
  ["read", "GET /assistants/future", undefined, { graph_id: "future", config: {}, context: {} }],
  ["search", "POST /assistants/search", { name: "future" }, [{ assistant_id: id, graph_id: "future" }]],
  ["versions", `POST /assistants/${id}/versions`, {}, [{ graph_id: "future", config: {} }]],
])(
  "what a user has made under such an id before is nobody's default: %s",
  async (_, endpoint, body, expected) => {
    await using before = await appWithUsers({ graphs });
    expect((await before.ask("bob", "POST /assistants", { body: planted })).status).toBe(200);
    const changed = await before.ask("bob", `PATCH /assistants/${id}`, { body: { name: "Bob's second" } });
    expect(changed.body).toMatchObject({ version: 2 });
    const { database } = before;
    await using after = await appWithUsers({
      database,
      graphs: [...graphs, { name: "future", graph: shout }],
    });
    const answer = await after.ask("ada", endpoint, body === undefined ? {} : { body });
    expect([answer.status, answer.body]).toMatchObject([200, expected]);
    expect(answer.text).not.toContain("bob");
    const of = { headers: {}, body: { name: "Mine again" } };
    expect((await after.ask("bob", `PATCH /assistants/${id}`, of)).status).toBe(403);
    expect((await before.ask("bob", `GET /assistants/${id}`)).status).toBe(404);
    const kept =
      "select owner, is_default, graph_id, config, context from langgraph.assistants where assistant_id = $1";
    expect(await database.query(kept, [id])).toEqual([
      { owner: null, is_default: true, graph_id: "future", config: null, context: null },
    ]);
    const versions = "select graph_id from langgraph.assistant_versions where assistant_id = $1";
    expect(await database.query(versions, [id])).toEqual([{ graph_id: "future" }]);
  },
);
