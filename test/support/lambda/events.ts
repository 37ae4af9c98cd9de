/** Events as the fronts of Lambda make them, all for one request, and with one field more than each in `overrides`. */
import type { ALBEvent, APIGatewayProxyEvent, APIGatewayProxyEventV2 } from "aws-lambda";

/** An HTTP API, payload format 2.0. */
export function httpApiEvent(overrides: Partial<APIGatewayProxyEventV2> = {}): APIGatewayProxyEventV2 {
  return {
    version: "2.0",
    routeKey: "$default",
    rawPath: "/api/echo",
    rawQueryString: "a=1&a=2&b=%2F%20",
    cookies: ["c=3", "d=4"],
    headers: { host: "abc.execute-api.eu-central-1.amazonaws.com", "x-custom": "one,two" },
    isBase64Encoded: false,
    ...overrides,
    requestContext: {
      accountId: "123456789012",
      apiId: "abc",
      domainName: "abc.execute-api.eu-central-1.amazonaws.com",
      domainPrefix: "abc",
      http: {
        method: "GET",
        path: "/api/echo",
        protocol: "HTTP/1.1",
        sourceIp: "203.0.113.7",
        userAgent: "test",
      },
      requestId: "JKJaXmPLvHcESHA=",
      routeKey: "$default",
      stage: "$default",
      time: "20/Nov/2026:12:00:00 +0000",
      timeEpoch: 1_795_176_000_000,
      ...overrides.requestContext,
    },
  };
}

/** A REST API. */
export function restApiEvent(overrides: Partial<APIGatewayProxyEvent> = {}): APIGatewayProxyEvent {
  const identity = {
    accessKey: null,
    accountId: null,
    apiKey: null,
    apiKeyId: null,
    caller: null,
    clientCert: null,
    cognitoAuthenticationProvider: null,
    cognitoAuthenticationType: null,
    cognitoIdentityId: null,
    cognitoIdentityPoolId: null,
    principalOrgId: null,
    sourceIp: "203.0.113.7",
    user: null,
    userAgent: "test",
    userArn: null,
  };
  return {
    resource: "/{proxy+}",
    path: "/api/echo",
    httpMethod: "GET",
    headers: { "X-Custom": "two", Cookie: "c=3; d=4" },
    multiValueHeaders: { "X-Custom": ["one", "two"], Cookie: ["c=3; d=4"] },
    queryStringParameters: { a: "2", b: "/ " },
    multiValueQueryStringParameters: { a: ["1", "2"], b: ["/ "] },
    pathParameters: { proxy: "api/echo" },
    stageVariables: null,
    body: null,
    isBase64Encoded: false,
    ...overrides,
    requestContext: {
      accountId: "123456789012",
      apiId: "abc",
      authorizer: null,
      domainName: "abc.execute-api.eu-central-1.amazonaws.com",
      httpMethod: "GET",
      identity,
      path: "/prod/api/echo",
      protocol: "HTTP/1.1",
      requestId: "c6af9ac6-7b61-11e6-9a41-93e8deadbeef",
      requestTimeEpoch: 1_795_176_000_000,
      resourceId: "123456",
      resourcePath: "/{proxy+}",
      stage: "prod",
      ...overrides.requestContext,
    },
  };
}

/** A load balancer; `multiple` if its target group is set to send each value of a header. */
export function loadBalancerEvent(
  { multiple }: { readonly multiple: boolean },
  overrides: Partial<ALBEvent> = {},
): ALBEvent {
  const headers = {
    host: "lb-1234567890.eu-central-1.elb.amazonaws.com",
    "x-forwarded-for": "10.9.9.9, 203.0.113.7",
    "x-forwarded-proto": "http",
    "x-custom": "two",
    cookie: "c=3; d=4",
  };
  const all = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, [value]]));
  return {
    requestContext: {
      elb: { targetGroupArn: "arn:aws:elasticloadbalancing:eu-central-1:1:targetgroup/t/1" },
    },
    httpMethod: "GET",
    path: "/api/echo",
    ...(multiple
      ? {
          multiValueHeaders: { ...all, "x-custom": ["one", "two"] },
          multiValueQueryStringParameters: { a: ["1", "2"], b: ["%2F%20"] },
        }
      : { headers, queryStringParameters: { a: "2", b: "%2F%20" } }),
    body: null,
    isBase64Encoded: false,
    ...overrides,
  };
}
