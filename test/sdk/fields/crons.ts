/** What each field of the requests about crons does. */

import { expect, vi } from "vitest";
import { fresh, type Effect, type Effects, type Place } from "./place.ts";

type Crons = Place["client"]["crons"];
type Create = NonNullable<Parameters<Crons["create"]>[1]>;
type Update = NonNullable<Parameters<Crons["update"]>[1]>;

const YEARLY = "0 0 1 1 *";
const input = { text: "a" };

/** What a run is asked for with, and what the record of the cron's run has of it. */
interface OfRun {
  readonly given: Omit<Create & Update, "schedule">;
  readonly payload: object;
  readonly run: object;
}

const OF_RUNS: Readonly<Record<string, OfRun>> = {
  input: {
    given: { input: { text: "b" } },
    payload: { input: { text: "b" } },
    run: { kwargs: { input: { text: "b" } } },
  },
  config: {
    given: { config: { configurable: { color: "red" } } },
    payload: { config: { configurable: { color: "red" } } },
    run: { kwargs: { config: { configurable: { color: "red" } } } },
  },
  context: {
    given: { context: { color: "blue" } },
    payload: { context: { color: "blue" } },
    run: { kwargs: { context: { color: "blue" } } },
  },
  interrupt_before: {
    given: { interruptBefore: ["second"] },
    payload: { interrupt_before: ["second"] },
    run: { kwargs: { interrupt_before: ["second"] } },
  },
  interrupt_after: {
    given: { interruptAfter: ["first"] },
    payload: { interrupt_after: ["first"] },
    run: { kwargs: { interrupt_after: ["first"] } },
  },
  durability: {
    given: { durability: "exit" },
    payload: { durability: "exit" },
    run: { kwargs: { durability: "exit" } },
  },
  stream_mode: {
    given: { streamMode: ["updates"] },
    payload: { stream_mode: ["updates"] },
    run: { kwargs: { stream_mode: ["updates"] } },
  },
  stream_subgraphs: {
    given: { streamSubgraphs: true },
    payload: { stream_subgraphs: true },
    run: { kwargs: { subgraphs: true } },
  },
  stream_resumable: { given: { streamResumable: true }, payload: { stream_resumable: true }, run: {} },
};

/** Those of the SDK's fields that can be told to a new cron alone. */
const OF_NEW_RUNS: Readonly<Record<string, OfRun>> = {
  checkpoint_during: {
    given: { checkpointDuring: false },
    payload: { checkpoint_during: false },
    run: { kwargs: { durability: "exit" } },
  },
  multitask_strategy: {
    given: { multitaskStrategy: "interrupt" },
    payload: { multitask_strategy: "interrupt" },
    run: { multitask_strategy: "interrupt" },
  },
};

interface Made {
  readonly cron_id: string;
}

/** As if the cron's time had come: its run, when that is over. */
async function fired({ server }: Place, { cron_id }: Made) {
  const { database } = server;
  await database.query(
    "update langgraph.crons set next_run_date = now() - interval '1 second' where cron_id = $1",
    [cron_id],
  );
  return vi.waitFor(
    async () => {
      const runs = await database.query(
        `select kwargs, metadata, multitask_strategy, output, thread_id, graph_id from langgraph.runs
          where metadata ->> 'cron_id' = $1 and status not in ('pending', 'running')`,
        [cron_id],
      );
      expect(runs).toHaveLength(1);
      return runs[0];
    },
    { timeout: 30_000, interval: 100 },
  );
}

/** On a thread, or with a kept thread for each run. */
type Door = (place: Place, given: Omit<Create, "schedule"> & { readonly schedule?: string }) => Promise<Made>;

const create: Door = async ({ client }, given) =>
  client.crons.create("steps", { schedule: YEARLY, input, onRunCompleted: "keep", ...given });

const createForThread: Door = async ({ client }, given) => {
  const { thread_id } = await client.threads.create();
  return client.crons.createForThread(thread_id, "steps", { schedule: YEARLY, input, ...given });
};

const update = (given: Update): ((place: Place) => Promise<Made>) => {
  return async (place) => {
    const { cron_id } = await create(place, {});
    return place.client.crons.update(cron_id, given);
  };
};

function ofRuns(
  make: (place: Place, given: OfRun["given"]) => Promise<Made>,
  fields: Readonly<Record<string, OfRun>>,
) {
  return Object.fromEntries(
    Object.entries(fields).map(([field, { given, payload, run }]): [string, Effect] => [
      field,
      async (place) => {
        const cron = await make(place, given);
        expect(cron).toMatchObject({ payload });
        expect(await fired(place, cron)).toMatchObject(run);
      },
    ]),
  );
}

const told = (make: (place: Place, webhook: string) => Promise<Made>): Effect => {
  return async (place) => {
    const cron = await make(place, place.receiver.url);
    await fired(place, cron);
    const crons = () =>
      place.receiver.received.map(({ body }) => Object(body["metadata"]).cron_id as unknown);
    await vi.waitFor(() => expect(crons()).toContain(cron.cron_id), { timeout: 20_000 });
  };
};

const shows = (make: (place: Place) => Promise<Made>, expected: object): Effect => {
  return async (place) => expect(await make(place)).toMatchObject(expected);
};

const END = "2999-01-01T00:00:00.000Z";

function making(door: Door): Effects {
  return {
    ...ofRuns(door, { ...OF_RUNS, ...OF_NEW_RUNS }),
    webhook: told(async (place, webhook) => door(place, { webhook })),
    metadata: async (place) =>
      expect(await fired(place, await door(place, { metadata: { why: "test" } }))).toMatchObject({
        metadata: { why: "test" },
      }),
    assistant_id: async (place) =>
      expect(await fired(place, await door(place, {}))).toMatchObject({ graph_id: "steps" }),
    schedule: shows(async (place) => door(place, { schedule: "30 5 1 1 *" }), {
      next_run_date: expect.stringContaining("-01-01T05:30:00"),
    }),
    timezone: shows(async (place) => door(place, { timezone: "Asia/Tokyo" }), {
      next_run_date: expect.stringContaining("-12-31T15:00:00"),
    }),
    end_time: shows(async (place) => door(place, { endTime: END }), { end_time: END }),
    enabled: shows(async (place) => door(place, { enabled: false }), { enabled: false, next_run_date: null }),
  };
}

/** Two crons on threads of an assistant. */
async function group({ client }: Place) {
  const metadata = { group: fresh() };
  const { thread_id } = await client.threads.create();
  const options = { schedule: YEARLY, input, metadata };
  const one = await client.crons.createForThread(thread_id, "steps", options);
  const other = await client.crons.create("nested", { ...options, enabled: false });
  return { metadata, thread_id, one: one.cron_id, other: other.cron_id };
}

type Group = Awaited<ReturnType<typeof group>>;
type Query = NonNullable<Parameters<Crons["search"]>[0]>;

const found =
  (query: (group: Group) => Query, expected: readonly ("one" | "other")[]): Effect =>
  async (place) => {
    const those = await group(place);
    const sorted = { sortBy: "created_at", sortOrder: "asc" } as const;
    const crons = await place.client.crons.search({ metadata: those.metadata, ...sorted, ...query(those) });
    expect(crons.map(({ cron_id }) => cron_id)).toEqual(expected.map((name) => those[name]));
  };

const counted = (query: (group: Group) => Query, expected: number): Effect => {
  return async (place) => {
    const those = await group(place);
    expect(await place.client.crons.count({ metadata: those.metadata, ...query(those) })).toBe(expected);
  };
};

export const cronEffects: Readonly<Record<string, Effects>> = {
  "crons.create": {
    ...making(create),
    on_run_completed: async (place) => {
      const { thread_id } = (await fired(place, await create(place, { onRunCompleted: "keep" }))) ?? {};
      expect((await place.client.threads.get(String(thread_id))).status).toBe("idle");
    },
  },
  "crons.createForThread": {
    ...making(createForThread),
    on_run_completed: async (place) =>
      expect(createForThread(place, { onRunCompleted: "delete" })).rejects.toThrow(/422.*on_run_completed/s),
  },
  "crons.update": {
    ...ofRuns(async (place, given) => update(given)(place), OF_RUNS),
    webhook: told(async (place, webhook) => update({ webhook })(place)),
    metadata: shows(update({ metadata: { why: "test" } }), { metadata: { why: "test" } }),
    schedule: shows(update({ schedule: "30 5 1 1 *" }), {
      next_run_date: expect.stringContaining("-01-01T05:30:00"),
    }),
    timezone: shows(update({ timezone: "Asia/Tokyo" }), {
      next_run_date: expect.stringContaining("-12-31T15:00:00"),
    }),
    end_time: shows(update({ endTime: END }), { end_time: END }),
    enabled: shows(update({ enabled: false }), { enabled: false }),
    on_run_completed: shows(update({ onRunCompleted: "delete" }), { on_run_completed: "delete" }),
  },
  "crons.search": {
    metadata: found(() => ({}), ["one", "other"]),
    assistant_id: found(() => ({ assistantId: "nested" }), ["other"]),
    thread_id: found(({ thread_id }) => ({ threadId: thread_id }), ["one"]),
    enabled: found(() => ({ enabled: true }), ["one"]),
    limit: found(() => ({ limit: 1 }), ["one"]),
    offset: found(() => ({ offset: 1 }), ["other"]),
    sort_by: found(() => ({ sortBy: "created_at" }), ["one", "other"]),
    sort_order: found(() => ({ sortOrder: "desc" }), ["other", "one"]),
    select: async (place) => {
      const { metadata } = await group(place);
      const crons = await place.client.crons.search({ metadata, select: ["enabled"], sortOrder: "asc" });
      expect(crons).toEqual([{ enabled: true }, { enabled: false }]);
    },
  },
  "crons.count": {
    metadata: counted(() => ({}), 2),
    assistant_id: counted(() => ({ assistantId: "nested" }), 1),
    thread_id: counted(({ thread_id }) => ({ threadId: thread_id }), 1),
  },
};
