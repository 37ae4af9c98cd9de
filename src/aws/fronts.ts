/** What stands before the function, and what each can do, of which their events tell nothing. */

import { isVersion2, type HttpEvent } from "./events.ts";

export interface LambdaOptions {
  /**
   * Whether the front takes streamed responses, which its events do not tell. By default a Function URL does
   * (`InvokeMode: RESPONSE_STREAM`) and a REST API does not (`responseTransferMode: STREAM` makes it). HTTP APIs and load
   * balancers never do.
   */
  readonly streaming?: boolean | undefined;
  /** For how long an API Gateway waits for an answer that is not streamed; by default 30 for an HTTP API, 29 for a REST API. */
  readonly frontTimeoutSeconds?: number | undefined;
}

/** Two of API Gateway's among them: HTTP APIs, whatever their payload format, and REST APIs. */
export type Front = "function-url" | "http-api" | "rest-api" | "load-balancer";

export function frontOf(event: HttpEvent): Front {
  if (isVersion2(event))
    return event.requestContext.domainName.includes(".lambda-url.") ? "function-url" : "http-api";
  if (event.requestContext.elb) return "load-balancer";
  return event.version === undefined ? "rest-api" : "http-api";
}

/** The others show their clients the prelude of a stream as if it were the body. */
export function takesStreams(event: HttpEvent, { streaming }: LambdaOptions): boolean {
  const front = frontOf(event);
  return front === "function-url" ? streaming !== false : front === "rest-api" && streaming === true;
}

/**
 * For how long an API Gateway waits for an answer that it does not stream, less a second for its way; the others wait as
 * long as we may take. Without a queue, nobody would go on with what is not done by then.
 */
export function patienceMs(
  event: HttpEvent,
  options: LambdaOptions & { readonly hasQueue: boolean },
): number {
  const front = frontOf(event);
  if (!options.hasQueue || front === "function-url" || front === "load-balancer") return Infinity;
  return ((options.frontTimeoutSeconds ?? (front === "http-api" ? 30 : 29)) - 1) * 1_000;
}

/** Of a result, in bytes of its JSON: Lambda's limit, and that of load balancers. */
export function maxResultBytes(event: HttpEvent): number {
  return frontOf(event) === "load-balancer" ? 1_000_000 : 6_291_556;
}
