import { Annotation, interrupt, type LangGraphRunnableConfig, START, StateGraph } from "@langchain/langgraph";
import { expect, test, vi } from "vitest";
import { z } from "zod";
import { EVERYTHING, type AuthEvent, type Policy } from "../../src/core/auth.ts";
import { AppError } from "../../src/errors.ts";
import { appWithUsers, type AppWithUsers, type Person } from "../support/users.ts";

/** Asks, and then tells what it knows of whoever it runs for. */
const telling = new StateGraph(Annotation.Root({ told: Annotation<unknown> }))
  .addNode("tell", (_, { configurable = {} }: LangGraphRunnableConfig) => {
    const answer: unknown = interrupt("May I?");
    const user: unknown = Reflect.get(Object(configurable["langgraph_auth_user"]), "identity");
    return { told: { answer, user, team: configurable["x-team"], tone: configurable["tone"] } };
  })
  .addEdge(START, "tell")
  .compile();
const graphs = [{ name: "telling", graph: telling }];

async function waitOnAdas(app: AppWithUsers): Promise<void> {
  const config = { configurable: { tone: "kind" } };
  const body = { assistant_id: "telling", input: {}, if_not_exists: "create", config };
  const { status } = await app.as("ada").ask("POST", "/threads/adas/runs/wait", body, { "x-team": "blue" });
  expect(status).toBe(200);
}

const make = async (person: Person, thread = "adas") =>
  person.ask("POST", `/threads/${thread}/resume-links`, {});

/** The path of the link that the person makes. */
async function linkOf(person: Person): Promise<string> {
  const { status, body } = await make(person);
  expect(status).toBe(200);
  return z.object({ url: z.string() }).parse(body).url.replace(person.url, "");
}

async function toldAfter(app: AppWithUsers, path: string): Promise<unknown> {
  const nobody = app.as(undefined);
  expect((await nobody.ask("GET", path)).status).toBe(200);
  expect((await nobody.ask("POST", path, { response: "yes" })).status).toBe(202);
  const told = async () => {
    const { body } = await app.as("ada").ask("GET", "/threads/adas");
    return z.object({ status: z.literal("idle"), values: z.object({ told: z.unknown() }) }).parse(body).values
      .told;
  };
  return vi.waitFor(told, 20_000);
}

const all: Policy["decide"] = async (_, __, value) => ({ value, scope: EVERYTHING });

test("a link to another user's thread is refused as one to a thread that there is not", async () => {
  await using app = await appWithUsers({ graphs });
  await waitOnAdas(app);
  const [onAdas, onNone] = [await make(app.as("bob")), await make(app.as("bob"), "none")];
  expect(onAdas.status).toBe(404);
  expect(onAdas.text.replace("adas", "none")).toBe(onNone.text);
  expect(await app.database.query("select from langgraph.resume_links")).toEqual([]);
});

test("where people sign in, a link is made by one of them, and answered by whoever has it", async () => {
  await using app = await appWithUsers({ graphs, policy: {} });
  await waitOnAdas(app);
  expect((await make(app.as(undefined))).status).toBe(401);
  const told = await toldAfter(app, await linkOf(app.as("ada")));
  expect(told).toEqual({ answer: "yes", user: "ada", team: "blue", tone: "kind" });
});

test("the run of an answer is on behalf of who made the link, without what another one's request has left", async () => {
  await using app = await appWithUsers({ graphs, policy: { decide: all } });
  await waitOnAdas(app);
  const told = await toldAfter(app, await linkOf(app.as("bob")));
  expect(told).toEqual({ answer: "yes", user: "bob", tone: "kind" });
});

test.each<AuthEvent>(["threads:update", "threads:create_run"])(
  "who may not do %s makes no link",
  async (refused) => {
    const decide: Policy["decide"] = async (user, event, value) => {
      if (user.identity === "bob" && event === refused) throw new AppError("forbidden", "Not you");
      return all(user, event, value);
    };
    await using app = await appWithUsers({ graphs, policy: { decide } });
    await waitOnAdas(app);
    expect((await make(app.as("bob"))).status).toBe(403);
    expect(await app.database.query("select from langgraph.resume_links")).toEqual([]);
  },
);
