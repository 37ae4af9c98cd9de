import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { appWithUsers, type AppWithUsers } from "../support/users.ts";
import { reporting, shout } from "../support/graphs.ts";
import { startReceiver } from "../support/receiver.ts";
import { talking } from "../support/streaming-graphs.ts";

let app: AppWithUsers;

beforeAll(async () => {
  app = await appWithUsers({
    graphs: [
      { name: "shout", graph: shout },
      { name: "reporting", graph: reporting },
    ],
  });
});

afterAll(async () => app[Symbol.asyncDispose]());

const run = { assistant_id: "shout", input: { text: "a" } };

describe("the user of a run", () => {
  const modes = [
    "values",
    "updates",
    "messages",
    "messages-tuple",
    "custom",
    "debug",
    "tasks",
    "checkpoints",
    "events",
  ];

  test("is what its graph finds in its config, whoever executes it", async () => {
    const thread = "t";
    const body = { assistant_id: "reporting", input: { text: "a" }, if_not_exists: "create" };
    const { body: waited } = await app.ask("ada", `POST /threads/${thread}/runs/wait`, { body });
    expect(waited).toMatchObject({
      report: {
        configurable: {
          langgraph_auth_user: { identity: "ada", permissions: ["some"], team: "blue" },
          langgraph_auth_user_id: "ada",
          langgraph_auth_permissions: ["some"],
        },
      },
    });
  });

  test("is shown nowhere else: no record, event, checkpoint, thread or webhook has its permissions or claims", async () => {
    await using receiver = await startReceiver();
    await using own = await appWithUsers({
      graphs: [{ name: "talking", graph: talking("secret!") }],
      webhooks: { allowPrivateAddresses: true },
    });
    const input = { messages: [{ role: "user", content: "Hi" }] };
    const asked = { assistant_id: "talking", input, if_not_exists: "create", webhook: receiver.url };
    const body = { ...asked, stream_mode: modes, stream_subgraphs: true };
    const streamed = await own.ask("ada", "POST /threads/t/runs/stream", { body });
    expect(streamed.text).toContain("secret!");
    const params = { assistant_id: "talking", input };
    const command = { id: 1, method: "run.start", params };
    const commanded = await own.ask("ada", "POST /threads/v2/commands", { body: command });
    expect(commanded.body).toMatchObject({ type: "success" });
    const runs = await own.ask("ada", "GET /threads/v2/runs");
    const [, id = ""] = /"run_id":"([^"]+)"/.exec(runs.text) ?? [];
    const seen = [streamed, commanded, runs, await own.ask("ada", `GET /threads/v2/runs/${id}/join`)];
    for (const thread of ["t", "v2"])
      for (const part of ["/runs", "", "/state", "/history"])
        seen.push(await own.ask("ada", `GET /threads/${thread}${part}`));
    seen.push(await own.ask("ada", "GET /graphs/talking/threads/t/state"));
    for (const { status } of seen) expect(status).toBe(200);
    const kept = [
      await own.database.query("select metadata, checkpoint from public.checkpoints"),
      await own.database.query("select data from langgraph.events"),
      await own.database.query("select metadata, values from langgraph.threads"),
    ];
    const told = await receiver.after(1);
    for (const text of [...seen, ...told].map((one) => one.text).concat(JSON.stringify(kept))) {
      expect(text).not.toContain("langgraph_auth");
      expect(text).not.toContain("principal");
      expect(text).not.toContain("blue");
    }
  });

  test.each(["langgraph_auth_user", "langgraph_auth_user_id", "langgraph_auth_permissions"])(
    "is not a client's to say: %s in a config is refused by its name",
    async (field) => {
      const config = { configurable: { [field]: "eve" } };
      const sent: readonly (readonly [string, unknown])[] = [
        ["POST /runs", { ...run, config }],
        ["POST /runs/wait", { ...run, config }],
        ["POST /runs/batch", [{ ...run, config }]],
        ["POST /threads/t/runs", { ...run, config }],
        ["POST /graphs/shout/invoke", { input: { text: "a" }, config }],
        ["POST /graphs/shout/stream", { input: { text: "a" }, config }],
        ["POST /graphs/shout/runs", { input: { text: "a" }, config }],
        ["POST /assistants", { graph_id: "shout", config }],
        ["POST /runs/crons", { assistant_id: "shout", schedule: "0 0 * * *", config }],
      ];
      for (const [endpoint, body] of sent) {
        const answer = await app.ask("ada", endpoint, { body });
        expect([endpoint, answer.status, answer.text]).toEqual([
          endpoint,
          422,
          expect.stringContaining("config.configurable"),
        ]);
      }
    },
  );
});

test("a configuration's own word about the user never reaches a graph", async () => {
  const eve = { langgraph_auth_user: { identity: "eve" }, langgraph_auth_user_id: "eve" };
  await using own = await appWithUsers({
    graphs: [{ name: "reporting", graph: reporting, authLevel: "anonymous", config: { configurable: eve } }],
  });
  const body = { input: { text: "a" } };
  const anonymous = await own.ask(undefined, "POST /graphs/reporting/invoke", { body });
  expect([anonymous.status, anonymous.text]).toEqual([200, expect.not.stringContaining("eve")]);
  const system = await own.askAsSystem("POST /graphs/reporting/invoke", { body });
  expect([system.status, system.text]).toEqual([200, expect.not.stringContaining("eve")]);
  const ada = await own.ask("ada", "POST /graphs/reporting/invoke", { body });
  expect([ada.status, ada.text]).toEqual([200, expect.stringContaining('"langgraph_auth_user_id":"ada"')]);
});
