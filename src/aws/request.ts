/** From the HTTP events of Lambda to the web's own requests. */

import { isVersion2, type HttpEvent, type HttpEventV1, type HttpEventV2 } from "./events.ts";
import { frontOf } from "./fronts.ts";

/** The URL has the app's route prefix, and where the front tells it the base path of a custom domain, but not the stage. */
export function toWebRequest(event: HttpEvent): Request {
  const method = isVersion2(event) ? event.requestContext.http.method : event.httpMethod;
  const headers = isVersion2(event) ? headersV2(event) : headersV1(event);
  const url = isVersion2(event) ? urlV2(event) : urlV1(event, headers);
  const body = method === "GET" || method === "HEAD" ? null : bodyOf(event);
  return new Request(url, { method, headers, body });
}

/** Where the client's connection comes from, as the front itself has seen it. */
export function clientAddress(event: HttpEvent, { headers }: Request): string | undefined {
  if (isVersion2(event)) return event.requestContext.http.sourceIp;
  if (frontOf(event) !== "load-balancer") return event.requestContext.identity?.sourceIp;
  // A load balancer adds the last hop, if so configured with the port; what stands before it is the client's own claim.
  const hop = headers.get("x-forwarded-for")?.split(",").at(-1)?.trim();
  if (!hop) return undefined;
  return /^\[(.+)\]:\d+$/.exec(hop)?.[1] ?? /^([^:]+):\d+$/.exec(hop)?.[1] ?? hop;
}

function headersV2({ headers: given, cookies }: HttpEventV2): Headers {
  const headers = new Headers();
  for (const [name, value] of Object.entries(given))
    if (value !== undefined) headers.set(name, byteString(value));
  // They may be among the headers as well, and must not be there twice.
  if (cookies && cookies.length > 0) headers.set("cookie", byteString(cookies.join("; ")));
  return headers;
}

function headersV1({ headers: single, multiValueHeaders: multiple }: HttpEventV1): Headers {
  const headers = new Headers();
  for (const [name, value] of pairsOf(multiple ?? single)) headers.append(name, byteString(value));
  return headers;
}

/** One for each value. */
function pairsOf(given: HttpEventV1["headers"] | HttpEventV1["multiValueHeaders"]): [string, string][] {
  return Object.entries<string | readonly string[] | undefined>(given ?? {}).flatMap(([name, value = []]) =>
    [value].flat().map((one): [string, string] => [name, one]),
  );
}

function urlV2(event: HttpEventV2): URL {
  const url = origin("https", event.requestContext.domainName);
  url.pathname = pathOf(event, event.rawPath);
  url.search = event.rawQueryString;
  return url;
}

/** Only HTTP APIs have the stage in their paths, whatever the domain, and give them decoded. */
function pathOf(event: HttpEvent, path: string): string {
  if (frontOf(event) !== "http-api") return path;
  const { stage = "$default" } = event.requestContext;
  const prefix = `/${stage}`;
  const hasStage = stage !== "$default" && (path === prefix || path.startsWith(`${prefix}/`));
  return (hasStage ? path.slice(prefix.length) : path).replaceAll("%", "%25");
}

function urlV1(event: HttpEventV1, headers: Headers): URL {
  const { requestContext, multiValueQueryStringParameters: multiple, queryStringParameters: single } = event;
  const protocol = headers.get("x-forwarded-proto") === "http" ? "http" : "https";
  const url = origin(protocol, requestContext.domainName ?? headers.get("host") ?? "");
  url.pathname = pathOf(event, event.path);
  const query = pairsOf(multiple ?? single);
  // Load balancers leave the query as it came, API Gateway decodes it.
  url.search =
    frontOf(event) === "load-balancer"
      ? query.map((pair) => pair.join("=")).join("&")
      : new URLSearchParams(query).toString();
  return url;
}

/** A load balancer's host is the client's claim, and must neither throw nor bring a path of its own. */
function origin(protocol: "http" | "https", host: string): URL {
  const given = `${protocol}://${host}`;
  return new URL(/^[\w.-]+(:\d+)?$/.test(host) && URL.canParse(given) ? given : `${protocol}://localhost`);
}

function bodyOf({ body, isBase64Encoded }: HttpEvent): Buffer<ArrayBuffer> | null {
  return body ? Buffer.from(body, isBase64Encoded ? "base64" : "utf8") : null;
}

/** Headers hold bytes, one a character; the events hold text. */
function byteString(value: string): string {
  // oxlint-disable-next-line no-control-regex -- the whole range is meant
  return /^[\u0000-\u00FF]*$/.test(value) ? value : Buffer.from(value, "utf8").toString("latin1");
}
