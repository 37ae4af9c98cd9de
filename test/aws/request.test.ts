import type {
  ALBEvent,
  ALBResult,
  APIGatewayProxyEvent,
  APIGatewayProxyEventV2,
  APIGatewayProxyResult,
  APIGatewayProxyStructuredResultV2,
  Context,
  LambdaFunctionURLEvent,
} from "aws-lambda";
import { expect, expectTypeOf, test } from "vitest";
import type { HttpEvent, HttpResultV1, HttpResultV2, LambdaContext } from "../../src/aws/events.ts";
import { clientAddress, toWebRequest } from "../../src/aws/request.ts";
import { httpApiEvent, loadBalancerEvent, restApiEvent } from "../support/lambda/events.ts";

test("our types take the events of AWS, and give what AWS takes", () => {
  expectTypeOf<APIGatewayProxyEventV2>().toExtend<HttpEvent>();
  expectTypeOf<LambdaFunctionURLEvent>().toExtend<HttpEvent>();
  expectTypeOf<APIGatewayProxyEvent>().toExtend<HttpEvent>();
  expectTypeOf<ALBEvent>().toExtend<HttpEvent>();
  expectTypeOf<Context>().toExtend<LambdaContext>();
  expectTypeOf<HttpResultV2>().toExtend<APIGatewayProxyStructuredResultV2>();
  expectTypeOf<HttpResultV1>().toExtend<APIGatewayProxyResult>();
  expectTypeOf<HttpResultV1>().toExtend<ALBResult>();
});

const stageOf = (stage: string, domainName?: string) => {
  const { requestContext } = httpApiEvent();
  return { ...requestContext, stage, ...(domainName && { domainName }) };
};

test.each([
  ["/api/echo", "$default", undefined, "/api/echo"],
  ["/prod/api/echo", "prod", undefined, "/api/echo"],
  ["/prod", "prod", undefined, "/"],
  ["/production/x", "prod", undefined, "/production/x"],
  ["/prod/api/echo", "prod", "agents.example.com", "/api/echo"],
  ["/api/echo", "prod", "agents.example.com", "/api/echo"],
])("of the path %s in stage %s (domain: %s) the app gets %s", (rawPath, stage, domainName, pathname) => {
  const event = httpApiEvent({ rawPath, requestContext: stageOf(stage, domainName) });
  expect(new URL(toWebRequest(event).url).pathname).toBe(pathname);
});

test("of an HTTP API, payload format 1.0 has the stage in its path as well, and a REST API has not", () => {
  const event = restApiEvent({ path: "/prod/api/echo" });
  expect(new URL(toWebRequest({ ...event, version: "1.0" }).url).pathname).toBe("/api/echo");
  expect(new URL(toWebRequest(event).url).pathname).toBe("/prod/api/echo");
});

test.each([["//evil.example/x"], ["/a/ü"], ["/a?b#c"], ["/100%"], ["/a%2Fb"]])(
  "the path %s, which an HTTP API has decoded, is encoded once",
  (rawPath) => {
    for (const event of [
      httpApiEvent({ rawPath, rawQueryString: "" }),
      { ...restApiEvent({ path: rawPath, multiValueQueryStringParameters: {} }), version: "1.0" },
    ]) {
      const { host, pathname, search } = new URL(toWebRequest(event).url);
      expect([host, search]).toEqual(["abc.execute-api.eu-central-1.amazonaws.com", ""]);
      expect(decodeURIComponent(pathname)).toBe(rawPath);
    }
  },
);

test.each([["//evil.example/x"], ["/a%2Fb/100%25"]])("the path %s stays as other fronts have it", (path) => {
  const domainName = "abc.lambda-url.eu-central-1.on.aws";
  const requestContext = stageOf("$default", domainName);
  for (const event of [
    httpApiEvent({ rawPath: path, requestContext }),
    restApiEvent({ path }),
    loadBalancerEvent({ multiple: true }, { path }),
  ])
    expect(new URL(toWebRequest(event).url).pathname).toBe(path);
});

test.each([["evil.example/path?x#y"], ["user:password@evil.example"], ["a b"], [""], ["999.999.999.999"]])(
  "the host %j of a client neither throws nor changes the path",
  (host) => {
    const event = loadBalancerEvent({ multiple: false }, { headers: { host } });
    expect(new URL(toWebRequest(event).url)).toMatchObject({ hostname: "localhost", pathname: "/api/echo" });
  },
);

test.each([
  ["a REST API", restApiEvent(), "https:", "?a=1&a=2&b=%2F+"],
  ["a load balancer", loadBalancerEvent({ multiple: true }), "http:", "?a=1&a=2&b=%2F%20"],
  ["a load balancer with single values", loadBalancerEvent({ multiple: false }), "http:", "?a=2&b=%2F%20"],
  ["an HTTP API", httpApiEvent(), "https:", "?a=1&a=2&b=%2F%20"],
])("the query of %s is encoded once", (_front, event, protocol, search) => {
  expect(new URL(toWebRequest(event).url)).toMatchObject({ protocol, search });
});

test.each([
  ["an HTTP API", httpApiEvent(), "one,two"],
  ["a REST API", restApiEvent(), "one, two"],
  ["a load balancer", loadBalancerEvent({ multiple: true }), "one, two"],
  ["a load balancer with single values", loadBalancerEvent({ multiple: false }), "two"],
])("headers and cookies of %s arrive", (_front, event, custom) => {
  const { headers } = toWebRequest(event);
  expect([headers.get("x-custom"), headers.get("cookie")]).toEqual([custom, "c=3; d=4"]);
});

test("cookies that are among the headers, too, are not there twice", () => {
  const event = httpApiEvent({ headers: { cookie: "c=3; d=4" } });
  expect(toWebRequest(event).headers.get("cookie")).toBe("c=3; d=4");
});

test("a header with other than Latin letters keeps its bytes", () => {
  const { headers } = toWebRequest(httpApiEvent({ headers: { "x-name": "名前" } }));
  expect(Buffer.from(headers.get("x-name") ?? "", "latin1").toString()).toBe("名前");
});

test.each([
  ["203.0.113.7", "203.0.113.7"],
  ["10.9.9.9, 203.0.113.7", "203.0.113.7"],
  ["203.0.113.7:51234", "203.0.113.7"],
  ["[2001:db8::1]:51234", "2001:db8::1"],
  ["2001:db8::1", "2001:db8::1"],
])("of x-forwarded-for %s the app gets the address that the load balancer added", (header, address) => {
  const event = loadBalancerEvent({ multiple: false }, { headers: { "x-forwarded-for": header } });
  expect(clientAddress(event, toWebRequest(event))).toBe(address);
});

test("a body with a GET is left out, as the web knows none", () => {
  expect(toWebRequest(httpApiEvent({ body: "x" })).body).toBeNull();
});
