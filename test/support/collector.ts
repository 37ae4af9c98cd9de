/** As much of a collector of OpenTelemetry as its exporters need: OTLP over HTTP, in JSON. */

import { once } from "node:events";
import { createServer, type IncomingHttpHeaders } from "node:http";
import { gunzipSync } from "node:zlib";
import { z } from "zod";

const Attributes = z.array(z.object({ key: z.string(), value: z.record(z.string(), z.unknown()) }));
const Resource = z.object({ attributes: Attributes });
const Span = z.object({ name: z.string(), traceId: z.string(), attributes: Attributes });
const Traces = z.object({
  resourceSpans: z.array(
    z.object({ resource: Resource, scopeSpans: z.array(z.object({ spans: z.array(Span) })) }),
  ),
});
const Metrics = z.object({
  resourceMetrics: z.array(
    z.object({
      resource: Resource,
      scopeMetrics: z.array(z.object({ metrics: z.array(z.object({ name: z.string() })) })),
    }),
  ),
});

export interface Collector extends AsyncDisposable {
  readonly url: string;
  readonly headers: readonly IncomingHttpHeaders[];
  /** The names of the spans that have come. */
  readonly spans: () => readonly string[];
  /** The traces that they are of. */
  readonly traces: () => ReadonlySet<string>;
  /** The names of the metrics that have come. */
  readonly metrics: () => readonly string[];
  /** What the senders of traces say of themselves. */
  readonly resources: () => readonly Readonly<Record<string, unknown>>[];
}

/** By default it takes all; else it answers with this status, as one that takes no JSON does with 415. */
export async function startCollector(status = 200): Promise<Collector> {
  const traces: z.output<typeof Traces>[] = [];
  const metrics: z.output<typeof Metrics>[] = [];
  const headers: IncomingHttpHeaders[] = [];
  const server = createServer((request, response) => {
    void (async () => {
      const sent = Buffer.concat(await request.toArray());
      headers.push(request.headers);
      const text = (request.headers["content-encoding"] === "gzip" ? gunzipSync(sent) : sent).toString();
      if (request.url === "/v1/traces") traces.push(Traces.parse(JSON.parse(text)));
      if (request.url === "/v1/metrics") metrics.push(Metrics.parse(JSON.parse(text)));
      response.writeHead(status, { "content-type": "application/json" }).end("{}");
    })();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  const resourceSpans = () => traces.flatMap((one) => one.resourceSpans);
  return {
    url: `http://127.0.0.1:${typeof address === "object" ? address?.port : ""}`,
    headers,
    spans: () =>
      resourceSpans().flatMap(({ scopeSpans }) =>
        scopeSpans.flatMap(({ spans }) => spans.map(({ name }) => name)),
      ),
    traces: () =>
      new Set(
        resourceSpans().flatMap(({ scopeSpans }) =>
          scopeSpans.flatMap(({ spans }) => spans.map(({ traceId }) => traceId)),
        ),
      ),
    metrics: () =>
      metrics
        .flatMap((one) => one.resourceMetrics)
        .flatMap(({ scopeMetrics }) =>
          scopeMetrics.flatMap((scope) => scope.metrics.map(({ name }) => name)),
        ),
    resources: () =>
      resourceSpans().map(({ resource }) =>
        Object.fromEntries(resource.attributes.map(({ key, value }) => [key, Object.values(value)[0]])),
      ),
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}
