/**
 * How the Functions host finds the function for a request: ASP.NET Core route templates, tried in the alphabetical order
 * of the function names; the first that fits path and method is it, however many would fit better.
 */
import { type RegisteredFunction, triggerOf } from "./protocol.ts";

export interface RouteMatch {
  readonly fn: RegisteredFunction;
  readonly authLevel: string;
  readonly params: Readonly<Record<string, string>>;
}

export type Router = (method: string, pathname: string) => RouteMatch | undefined;

/** @throws for what the host would refuse at its start. */
export function createRouter(functions: readonly RegisteredFunction[], prefix: string): Router {
  const endpoints = functions
    .filter((fn) => triggerOf(fn).binding.type === "httpTrigger")
    .toSorted((a, b) => (a.name.toUpperCase() < b.name.toUpperCase() ? -1 : 1))
    .map((fn) => {
      const { route = fn.name, methods, authLevel = "function" } = triggerOf(fn).binding;
      assertAccepted(fn.name, route);
      const allowed = methods?.map((method) => method.toUpperCase());
      return { fn, authLevel, allowed, match: compile([prefix, route].filter(Boolean).join("/")) };
    });
  return (method, pathname) => {
    for (const { fn, authLevel, allowed, match } of endpoints) {
      const params = match(pathname);
      if (params && (allowed?.includes(method) ?? true)) return { fn, authLevel, params };
    }
    return undefined;
  };
}

function assertAccepted(name: string, route: string): void {
  if (!/^[a-z][a-z0-9_-]{0,127}$/i.test(name) || name.toLowerCase() === "host") {
    throw new Error(`"${name}" is not a valid function name`);
  }
  if (/^\/?(admin|runtime)(\/|$)/i.test(route))
    throw new Error(`The route "${route}" of "${name}" is reserved`);
}

/** Literals, `{name}`, `{name?}`, `{*rest}` and `{**rest}`; no constraints. Case and a trailing slash do not matter. */
function compile(template: string): (pathname: string) => Record<string, string> | undefined {
  const parts = template.split("/").map((part) => {
    const parameter = /^\{(\*{0,2})(\w+)(\??)\}$/.exec(part);
    if (!parameter && part.includes("{"))
      throw new Error(`This host does not know the route segment "${part}"`);
    if (!parameter) return `/${escape(part)}`;
    const [, stars, name, optional] = parameter;
    if (stars) return `(?:/(?<${name}>.*?))?`;
    return optional ? `(?:/(?<${name}>[^/]+))?` : `/(?<${name}>[^/]+)`;
  });
  const pattern = new RegExp(`^${parts.join("")}/?$`, "i");
  return (pathname) => {
    const found = pattern.exec(decoded(pathname));
    if (!found) return undefined;
    const params = Object.entries(found.groups ?? {}).filter((entry) => entry[1] !== undefined);
    return Object.fromEntries(params);
  };
}

/** As Kestrel decodes a path: every escape but that of the slash. */
function decoded(pathname: string): string {
  return pathname
    .split(/(%2f)/i)
    .map((part) => (/^%2f$/i.test(part) ? part : decodeURIComponent(part)))
    .join("");
}

function escape(literal: string): string {
  return literal.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}
