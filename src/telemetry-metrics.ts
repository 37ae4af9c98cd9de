/** What is measured, by OpenTelemetry. No attribute has more values than an app has graphs, routes or statuses. */

import {
  createNoopMeter,
  metrics,
  type Attributes,
  type Meter,
  type MeterProvider,
} from "@opentelemetry/api";
import { harmless } from "./telemetry-harmless.ts";
import { VERSION } from "./version.ts";

interface Instrument {
  readonly kind: "counter" | "histogram" | "gauge";
  /** By UCUM. */
  readonly unit: string;
  readonly description: string;
  readonly boundaries?: readonly number[];
}

/** Of requests, as the semantic conventions have them. */
const REQUEST_SECONDS = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10];
/** Of what may be over at once or take many invocations. */
const RUN_SECONDS = [0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1_800, 3_600];

/** docs/observability.md tells of each. */
const INSTRUMENTS = {
  "langgraph.runs": { kind: "counter", unit: "{run}", description: "Runs that have ended" },
  "langgraph.run.duration": {
    kind: "histogram",
    unit: "s",
    description: "From the first start of a run to its end",
    boundaries: RUN_SECONDS,
  },
  "langgraph.run.wait": {
    kind: "histogram",
    unit: "s",
    description: "How long a run waited for a worker",
    boundaries: RUN_SECONDS,
  },
  "langgraph.run.time_to_first_event": {
    kind: "histogram",
    unit: "s",
    description: "From when a run could begin to the first event of its graph",
    boundaries: RUN_SECONDS,
  },
  "langgraph.run.handovers": {
    kind: "counter",
    unit: "{handover}",
    description: "Runs that an invocation has left to another one, as its time was up",
  },
  "langgraph.run.recoveries": {
    kind: "counter",
    unit: "{recovery}",
    description: "Runs whose executor vanished, and that were put back or given up",
  },
  "langgraph.queue.messages": {
    kind: "counter",
    unit: "{message}",
    description: "Messages that were sent to the queue, or that could not be",
  },
  "langgraph.queue.waiting": { kind: "gauge", unit: "{run}", description: "Runs that wait for a worker" },
  "langgraph.queue.running": { kind: "gauge", unit: "{run}", description: "Runs that are executed" },
  "langgraph.queue.age": {
    kind: "gauge",
    unit: "s",
    description: "How long the run has waited that has waited for longest",
  },
  "langgraph.webhooks": {
    kind: "counter",
    unit: "{attempt}",
    description: "Attempts to deliver a webhook",
  },
  "http.server.request.duration": {
    kind: "histogram",
    unit: "s",
    description: "Duration of HTTP server requests.",
    boundaries: REQUEST_SECONDS,
  },
} as const satisfies Record<string, Instrument>;

export type MetricName = keyof typeof INSTRUMENTS;

type Recorder = (value: number, attributes: Attributes) => void;

/** Those of the provider that was registered when they were made. */
let known: MeterProvider | undefined;
const made = new Map<MetricName, Recorder>();

/** Whether anybody listens. */
export function hasMeterProvider(): boolean {
  return harmless(() => metrics.getMeterProvider().getMeter(SCOPE) !== createNoopMeter(), false);
}

const SCOPE = "langgraph-functions";

/** Adds to a counter, or records a value. Without a provider it does nothing. Never throws. */
export function measure(name: MetricName, value: number, attributes: Attributes = {}): void {
  harmless(() => record(name, value, attributes), undefined);
}

function record(name: MetricName, value: number, attributes: Attributes): void {
  const provider = metrics.getMeterProvider();
  if (provider !== known) made.clear();
  known = provider;
  let recorder = made.get(name);
  if (recorder === undefined) {
    recorder = make(provider.getMeter(SCOPE, VERSION), name);
    made.set(name, recorder);
  }
  recorder(value, attributes);
}

function make(meter: Meter, name: MetricName): Recorder {
  const { kind, unit, description, boundaries = [] }: Instrument = INSTRUMENTS[name];
  switch (kind) {
    case "counter": {
      const counter = meter.createCounter(name, { unit, description });
      return (value, attributes) => counter.add(value, attributes);
    }
    case "histogram": {
      const advice = { explicitBucketBoundaries: [...boundaries] };
      const histogram = meter.createHistogram(name, { unit, description, advice });
      return (value, attributes) => histogram.record(value, attributes);
    }
    case "gauge": {
      const gauge = meter.createGauge(name, { unit, description });
      return (value, attributes) => gauge.record(value, attributes);
    }
  }
}
