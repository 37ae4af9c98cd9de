/**
 * Starts the SDK of OpenTelemetry where the environment names a collector and the process has no provider yet. Its
 * packages are optional, and loaded with the first call: who has none named pays nothing.
 */

import { context, diag, DiagLogLevel, metrics, trace } from "@opentelemetry/api";
import { z } from "zod";
import type { Logger } from "./core/logger.ts";
import { parseEnvironment } from "./environment.ts";
import { TelemetryEnvironment } from "./settings.ts";
import { hasTracerProvider } from "./telemetry.ts";
import { hasMeterProvider } from "./telemetry-metrics.ts";

/** What hosts say of themselves. */
const HostEnvironment = z.object({
  AWS_LAMBDA_FUNCTION_NAME: z.string().optional(),
  AWS_REGION: z.string().optional(),
  WEBSITE_SITE_NAME: z.string().optional(),
  REGION_NAME: z.string().optional(),
});

/** Never rejects: an app that cannot be watched still serves, and its log says why. */
export async function startTelemetry(logger: Logger): Promise<void> {
  try {
    const [tracesAreTheirs, metricsAreTheirs] = [hasTracerProvider(), hasMeterProvider()];
    if (tracesAreTheirs && metricsAreTheirs) return;
    const settings = parseEnvironment(TelemetryEnvironment, {
      ...(tracesAreTheirs && NO_TRACES),
      ...(metricsAreTheirs && NO_METRICS),
    });
    const hasEndpoint = settings.OTEL_EXPORTER_OTLP_ENDPOINT !== undefined;
    const traces = hasEndpoint || settings.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT !== undefined;
    const measures = hasEndpoint || settings.OTEL_EXPORTER_OTLP_METRICS_ENDPOINT !== undefined;
    const starts = [
      ...(traces && settings.OTEL_TRACES_EXPORTER !== "none" ? [startTraces()] : []),
      ...(measures && settings.OTEL_METRICS_EXPORTER !== "none"
        ? [startMetrics(settings.OTEL_METRIC_EXPORT_INTERVAL)]
        : []),
    ];
    if (starts.length > 0) tellProblems(logger);
    await Promise.all(starts);
  } catch (error) {
    logger.error({ err: error }, "OpenTelemetry could not be started; the app serves without it");
  }
}

/** Where an agent has started the one or the other, its variables are for the agent, which may know more values than we. */
const NO_TRACES = { OTEL_TRACES_EXPORTER: "none", OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: undefined };
const NO_METRICS = {
  OTEL_METRICS_EXPORTER: "none",
  OTEL_EXPORTER_OTLP_METRICS_PROTOCOL: undefined,
  OTEL_METRIC_EXPORT_INTERVAL: undefined,
};

async function startTraces(): Promise<void> {
  const [base, hooks, otlp, resource] = await Promise.all([
    import("@opentelemetry/sdk-trace-base").catch(missing("@opentelemetry/sdk-trace-base")),
    import("@opentelemetry/context-async-hooks").catch(missing("@opentelemetry/context-async-hooks")),
    import("@opentelemetry/exporter-trace-otlp-http").catch(
      missing("@opentelemetry/exporter-trace-otlp-http"),
    ),
    resourceOfHost(),
  ]);
  const { BasicTracerProvider, BatchSpanProcessor } = whole(base);
  const { AsyncLocalStorageContextManager } = whole(hooks);
  const { OTLPTraceExporter } = whole(otlp);
  const spanProcessors = [new BatchSpanProcessor(new OTLPTraceExporter())];
  trace.setGlobalTracerProvider(new BasicTracerProvider({ resource, spanProcessors }));
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
}

async function startMetrics(exportIntervalMillis: number): Promise<void> {
  const [sdk, otlp, resource] = await Promise.all([
    import("@opentelemetry/sdk-metrics").catch(missing("@opentelemetry/sdk-metrics")),
    import("@opentelemetry/exporter-metrics-otlp-http").catch(
      missing("@opentelemetry/exporter-metrics-otlp-http"),
    ),
    resourceOfHost(),
  ]);
  const { MeterProvider, PeriodicExportingMetricReader } = whole(sdk);
  const { OTLPMetricExporter } = whole(otlp);
  const reader = new PeriodicExportingMetricReader({
    exporter: new OTLPMetricExporter(),
    exportIntervalMillis,
    exportTimeoutMillis: Math.min(exportIntervalMillis, MAX_EXPORT_MS),
  });
  metrics.setGlobalMeterProvider(new MeterProvider({ resource, readers: [reader] }));
}

const MAX_EXPORT_MS = 30_000;

/** What the environment says of it goes over what the host does. Each instance has an id, as its figures are its own. */
async function resourceOfHost() {
  const { defaultResource, detectResources, envDetector, resourceFromAttributes, serviceInstanceIdDetector } =
    whole(await import("@opentelemetry/resources").catch(missing("@opentelemetry/resources")));
  const { AWS_LAMBDA_FUNCTION_NAME, AWS_REGION, WEBSITE_SITE_NAME, REGION_NAME } = parseEnvironment(
    HostEnvironment,
    {},
  );
  const ofHost = {
    ...(WEBSITE_SITE_NAME !== undefined && cloud("azure", WEBSITE_SITE_NAME, REGION_NAME)),
    ...(AWS_LAMBDA_FUNCTION_NAME !== undefined && cloud("aws", AWS_LAMBDA_FUNCTION_NAME, AWS_REGION)),
  };
  return defaultResource()
    .merge(resourceFromAttributes({ "service.name": "langgraph-functions", ...ofHost }))
    .merge(detectResources({ detectors: [serviceInstanceIdDetector, envDetector] }));
}

function cloud(provider: string, name: string, region: string | undefined): Readonly<Record<string, string>> {
  return {
    "service.name": name,
    "faas.name": name,
    "cloud.provider": provider,
    ...(region === undefined ? {} : { "cloud.region": region }),
  };
}

/** It is CommonJS, of which a bundle in chunks has no names, only the whole. @see https://github.com/evanw/esbuild/issues/3245 */
function whole<Module extends object>(module: Module & { readonly default?: Module }): Module {
  return module.default ?? module;
}

function missing(name: string): (cause: unknown) => never {
  return (cause) => {
    throw new Error(
      `OTEL_EXPORTER_OTLP_ENDPOINT needs the package ${name}: npm install ${PACKAGES.join(" ")}`,
      { cause },
    );
  };
}

const PACKAGES = [
  "@opentelemetry/sdk-trace-base",
  "@opentelemetry/context-async-hooks",
  "@opentelemetry/exporter-trace-otlp-http",
  "@opentelemetry/sdk-metrics",
  "@opentelemetry/exporter-metrics-otlp-http",
  "@opentelemetry/resources",
];

/** Such as a collector that is away: the SDK itself keeps silent. */
function tellProblems(logger: Logger): void {
  const tell = (reason: string): void => logger.warn({ reason }, "OpenTelemetry has a problem");
  const silent = (): void => undefined;
  const problems = { error: tell, warn: tell, info: silent, debug: silent, verbose: silent };
  diag.setLogger(problems, { logLevel: DiagLogLevel.WARN, suppressOverrideMessage: true });
}
