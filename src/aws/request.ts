/** From the HTTP events of Lambda to the web's own requests. */

import { isLoadBalancer, isVersion2, type HttpEvent, type HttpEventV1, type HttpEventV2 } from "./events.ts";

/** The URL has the app's route prefix, and the base path of an API mapping, but not the stage. */
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
  if (!isLoadBalancer(event)) return event.requestContext.identity?.sourceIp;
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

function headersV1({ headers: single, multiValueHeaders }: HttpEventV1): Headers {
  const headers = new Headers();
  for (const [name, values = []] of Object.entries(multiValueHeaders ?? {})) {
    for (const value of values) headers.append(name, byteString(value));
  }
  if (multiValueHeaders) return headers;
  for (const [name, value] of Object.entries(single ?? {})) {
    if (value !== undefined) headers.set(name, byteString(value));
  }
  return headers;
}

function urlV2({ rawPath, rawQueryString, requestContext: { domainName, stage } }: HttpEventV2): URL {
  const url = origin("https", domainName);
  url.pathname = rawPath;
  // Only the domain that AWS generates has the stage in its paths; a domain of one's own maps to a stage.
  const prefix = `/${stage}`;
  const hasStage = stage !== "$default" && domainName.includes(".execute-api.");
  if (hasStage && (rawPath === prefix || rawPath.startsWith(`${prefix}/`))) {
    url.pathname = rawPath.slice(prefix.length);
  }
  url.search = rawQueryString;
  return url;
}

function urlV1(event: HttpEventV1, headers: Headers): URL {
  const {
    path,
    requestContext,
    multiValueQueryStringParameters: multiple,
    queryStringParameters: single,
  } = event;
  const protocol = headers.get("x-forwarded-proto") === "http" ? "http" : "https";
  const url = origin(protocol, requestContext.domainName ?? headers.get("host") ?? "");
  url.pathname = path;
  const query: [string, string][] = [];
  for (const [name, value = []] of Object.entries<string | readonly string[] | undefined>(
    multiple ?? single ?? {},
  )) {
    for (const one of typeof value === "string" ? [value] : value) query.push([name, one]);
  }
  // Load balancers leave the query as it came, API Gateway decodes it.
  url.search = isLoadBalancer(event)
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
