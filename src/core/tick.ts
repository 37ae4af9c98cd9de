/** The third door: what has fallen due is done, and nothing but one query where nothing has. */

import { inSpan, moment, type TraceContext } from "../telemetry.ts";
import { measure } from "../telemetry-metrics.ts";
import type { Agenda, AgendaTerms, Due, Looked, Retention } from "./agenda.ts";
import type { EndedThreads } from "./ended-threads.ts";
import { fireCrons, type CronFiringDeps } from "./cron-firing.ts";
import { KEY_LIFE_MS } from "./idempotency.ts";
import type { Invocation, TickReport } from "./model.ts";
import type { Logger } from "./logger.ts";
import type { ResumeLinkStore } from "./resume-links.ts";
import { sweepRuns } from "./runs.ts";
import { ageSeconds, type QueueState } from "./status.ts";
import { sweepStore, type StoreDeps } from "./store.ts";
import { sweepThreads } from "./thread-removal.ts";
import type { ThreadDeps } from "./threads.ts";
import { forgottenSince, type WakingDeps } from "./wake-ups.ts";
import { FAILURES_KEPT_MS, sweepWebhooks, type WebhookDeps } from "./webhooks.ts";

export interface TickDeps extends CronFiringDeps, WebhookDeps, ThreadDeps, WakingDeps {
  readonly logger: Logger;
  readonly agenda: Agenda;
  readonly retention: Retention;
  readonly endedThreads: EndedThreads;
  readonly store: StoreDeps;
  readonly links: Pick<ResumeLinkStore, "removeExpired">;
  /** How long the events of a run are kept after its end. */
  readonly eventRetentionMs: number;
  /** Whether ticks that found nothing to do are logged as well. */
  readonly logsIdleTicks: boolean;
}

/** What is done at a time; where there was as much, there may be more. */
const BATCH = 100;
const REMOVED = 1_000;
/** Then the next tick goes on. */
const MAX_ROUNDS = 100;
/** What a round needs of an invocation's time. */
const ROUND_MS = 10_000;

interface Done extends Partial<TickReport> {
  readonly hasMore: boolean;
}

interface Step {
  readonly name: string;
  readonly isDue: boolean;
  readonly perform: () => Promise<Done>;
}

/** Rejects when a step has failed, after the others have done what they have to. */
export async function tick(
  deps: TickDeps,
  { deadline, signal, traceContext }: Invocation,
): Promise<TickReport> {
  let report: TickReport = { recovered: 0, resent: 0, fired: 0, expired: 0 };
  for (let round = 1; ; round += 1) {
    const { looked, done, failures } = await doWhatIsDue(deps, traceContext);
    report = done.reduce(sum, report);
    const enough = new Date(deps.clock.now().getTime() + ROUND_MS);
    const isOutOfTime = signal.aborted || (deadline !== undefined && deadline < enough);
    const goesOn = failures.length === 0 && done.some(({ hasMore }) => hasMore);
    if (goesOn && !isOutOfTime && round < MAX_ROUNDS) continue;
    tell(deps, report, looked);
    if (failures.length > 0) throw failures[0];
    return report;
  }
}

/** What was done, and what there was to do when it last looked. Alarms read this line: its fields are an interface. */
function tell({ logger, clock, logsIdleTicks }: TickDeps, report: TickReport, state: QueueState): void {
  const oldest_waiting_run_age_s = ageSeconds(state, clock.now());
  measure("langgraph.queue.waiting", state.waiting);
  measure("langgraph.queue.running", state.running);
  measure("langgraph.queue.age", oldest_waiting_run_age_s);
  if (!logsIdleTicks && Object.values(report).every((count) => count === 0)) return;
  const { recovered, resent, fired, expired } = report;
  const line = {
    recovered,
    resent,
    fired,
    expired,
    waiting_runs: state.waiting,
    running_runs: state.running,
    oldest_waiting_run_age_s,
  };
  logger.info(line, "Tick");
}

interface Round {
  readonly looked: Looked;
  readonly done: readonly Done[];
  readonly failures: readonly unknown[];
}

/** A step that fails does not keep the others from theirs. */
async function doWhatIsDue(deps: TickDeps, origin: TraceContext | undefined): Promise<Round> {
  const begunAt = moment();
  const { looked, steps } = await look(deps);
  const due = steps.filter(({ isDue }) => isDue);
  if (due.length === 0) return { looked, done: [], failures: [] }; // else there would be a trace each minute of nothing
  return inSpan("tick", { begunAt, origin }, async (span) => {
    const round = await doAll(deps, due);
    if (round.failures.length > 0) span.fail(round.failures[0]);
    return { looked, ...round };
  });
}

async function doAll({ logger }: TickDeps, due: readonly Step[]): Promise<Omit<Round, "looked">> {
  const done: Done[] = [];
  const failures: unknown[] = [];
  for (const { name, perform } of due) {
    try {
      done.push(await perform());
    } catch (error) {
      logger.error({ step: name, err: error }, "A step of the tick failed; the next tick tries again");
      failures.push(error);
    }
  }
  return { done, failures };
}

function sum(report: TickReport, { recovered = 0, resent = 0, fired = 0, expired = 0 }: Done): TickReport {
  return {
    recovered: report.recovered + recovered,
    resent: report.resent + resent,
    fired: report.fired + fired,
    expired: report.expired + expired,
  };
}

/** Another kind of thing that falls due is a field of `Due` and a step. */
async function look(deps: TickDeps): Promise<{ readonly looked: Looked; readonly steps: readonly Step[] }> {
  const now = deps.clock.now();
  const terms = {
    forgottenSince: forgottenSince(deps),
    eventsSince: new Date(now.getTime() - deps.eventRetentionMs),
    failuresSince: new Date(now.getTime() - FAILURES_KEPT_MS),
    keysSince: new Date(now.getTime() - KEY_LIFE_MS),
  };
  const looked = await deps.agenda.read(now, terms);
  const steps = [...workSteps(deps, looked, terms), ...removalSteps(deps, looked, { ...terms, now })];
  return { looked, steps };
}

/** What somebody waits for. */
function workSteps(deps: TickDeps, due: Due, terms: AgendaTerms): readonly Step[] {
  return [
    {
      name: "runs",
      isDue: due.runs,
      perform: async () => {
        const swept = await sweepRuns(deps);
        return { ...swept, hasMore: Math.max(swept.recovered, swept.resent) >= BATCH };
      },
    },
    {
      name: "crons",
      isDue: due.crons,
      perform: async () => {
        const { fired, seen } = await fireCrons(deps, BATCH);
        return { fired, hasMore: seen === BATCH };
      },
    },
    {
      name: "webhooks",
      isDue: due.webhooks,
      perform: async () => ({ resent: await sweepWebhooks(deps, terms.forgottenSince), hasMore: false }),
    },
  ];
}

/** What nobody needs any more. */
function removalSteps(
  deps: TickDeps,
  due: Due,
  { eventsSince, failuresSince, keysSince, now }: AgendaTerms & { readonly now: Date },
): readonly Step[] {
  const { retention, endedThreads, store, links } = deps;
  const step = (
    name: string,
    isDue: boolean,
    remove: () => Promise<number>,
    batch: number | undefined,
  ): Step => ({
    name,
    isDue,
    perform: async () => {
      const expired = await remove();
      return { expired, hasMore: expired === batch };
    },
  });
  return [
    step("events", due.events, async () => retention.removeEvents(eventsSince, REMOVED), REMOVED),
    step("ended threads", due.ended_threads, async () => endedThreads.forget(eventsSince, REMOVED), REMOVED),
    step("rate limits", due.rate_limits, async () => retention.removeRateLimits(now, REMOVED), REMOVED),
    step("threads", due.threads, async () => sweepThreads(deps, BATCH), BATCH),
    step("resume links", due.links, async () => links.removeExpired(now, REMOVED), REMOVED),
    step("store", due.items, async () => sweepStore(store), undefined),
    step("idempotency keys", due.keys, async () => retention.removeKeys(keysSince, REMOVED), REMOVED),
    step(
      "failed webhooks",
      due.failed_webhooks,
      async () => retention.removeFailedWebhooks(failuresSince, REMOVED),
      REMOVED,
    ),
  ];
}
