/** The real SDK of OpenTelemetry, which keeps what it is told. */

import { context, metrics, trace } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from "@opentelemetry/sdk-metrics";
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  type ReadableSpan,
  type Sampler,
  SimpleSpanProcessor,
} from "@opentelemetry/sdk-trace-base";

export interface Point {
  readonly attributes: object;
  readonly value: unknown;
}

export interface Recorder extends AsyncDisposable {
  readonly spans: () => readonly ReadableSpan[];
  /** The one span of this name. */
  readonly span: (name: string) => ReadableSpan;
  readonly named: (name: string) => readonly ReadableSpan[];
  /** The names of the spans around it, the nearest first. */
  readonly around: (span: ReadableSpan) => readonly string[];
  /** What was measured by this name. */
  readonly points: (metric: string) => Promise<readonly Point[]>;
  readonly units: () => Promise<Readonly<Record<string, string>>>;
}

/** For the whole process, until disposed of. */
export function recordTelemetry({
  hasContextManager = true,
  sampler,
}: { readonly hasContextManager?: boolean; readonly sampler?: Sampler } = {}): Recorder {
  const exporter = new InMemorySpanExporter();
  const tracing = new BasicTracerProvider({
    spanProcessors: [new SimpleSpanProcessor(exporter)],
    ...(sampler && { sampler }),
  });
  const measured = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
  const reader = new PeriodicExportingMetricReader({ exporter: measured, exportIntervalMillis: 3_600_000 });
  const measuring = new MeterProvider({ readers: [reader] });
  trace.setGlobalTracerProvider(tracing);
  metrics.setGlobalMeterProvider(measuring);
  if (hasContextManager) context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  const named = (name: string) => exporter.getFinishedSpans().filter((span) => span.name === name);
  const latest = async () => {
    await measuring.forceFlush();
    return (
      measured
        .getMetrics()
        .at(-1)
        ?.scopeMetrics.flatMap((scope) => scope.metrics) ?? []
    );
  };
  return {
    spans: () => exporter.getFinishedSpans(),
    named,
    span: (name) => {
      const [span, ...others] = named(name);
      if (span === undefined || others.length > 0)
        throw new Error(`Not one span is named ${name}: ${told(exporter)}`);
      return span;
    },
    around: (span) => around(exporter, span),
    points: async (metric) =>
      (await latest())
        .filter(({ descriptor }) => descriptor.name === metric)
        .flatMap(({ dataPoints }) => dataPoints.map(({ attributes, value }) => ({ attributes, value }))),
    units: async () =>
      Object.fromEntries((await latest()).map(({ descriptor }) => [descriptor.name, descriptor.unit])),
    [Symbol.asyncDispose]: async () => {
      trace.disable();
      metrics.disable();
      context.disable();
      await Promise.all([tracing.shutdown(), measuring.shutdown()]);
    },
  };
}

function around(exporter: InMemorySpanExporter, span: ReadableSpan): readonly string[] {
  const above = exporter
    .getFinishedSpans()
    .find((other) => other.spanContext().spanId === span.parentSpanContext?.spanId);
  return above === undefined ? [] : [above.name, ...around(exporter, above)];
}

function told(exporter: InMemorySpanExporter): string {
  return exporter
    .getFinishedSpans()
    .map(({ name }) => name)
    .join(", ");
}
