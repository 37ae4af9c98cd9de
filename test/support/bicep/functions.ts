/** The functions of Bicep that infra/azure uses, and what Azure says of a resource once it is there. */

import { createHash } from "node:crypto";

export type Result = string | number | boolean | null | readonly Result[] | Fields;
export interface Fields {
  readonly [name: string]: Result;
}

export function isList(value: Result | undefined): value is readonly Result[] {
  return Array.isArray(value);
}

export function isFields(value: Result | undefined): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** As it is filled into a string. Of `true`, this could be `true` or `True`: it is not known here. */
export function asText(value: Result | undefined): string {
  if (typeof value === "string") return value;
  if (typeof value === "number") return String(value);
  throw new Error(`${JSON.stringify(value)} is no text`);
}

/** @throws Error for what is neither true nor false */
export function truth(value: Result): boolean {
  if (typeof value !== "boolean") throw new Error(`${JSON.stringify(value)} is neither true nor false`);
  return value;
}

/** @throws Error where there is none of that name: of a module or a resource that is not made, nothing can be asked */
export function memberOf(value: Result, at: Result): Result {
  const found = isList(value) ? value[Number(at)] : isFields(value) ? value[asText(at)] : undefined;
  if (found === undefined) throw new Error(`nothing is known of .${asText(at)} of ${JSON.stringify(value)}`);
  return found;
}

const FUNCTIONS: Readonly<Record<string, (...given: readonly Result[]) => Result>> = {
  concat: (...lists) => lists.flatMap((list) => (isList(list) ? list : refuse("concat", list))),
  contains: (whole = null, part = null) =>
    isList(whole) ? whole.includes(part) : asText(whole).includes(asText(part)),
  empty: (value = null) =>
    (isFields(value) ? Object.keys(value) : isList(value) ? value : asText(value)).length === 0,
  environment: () => ({ suffixes: { storage: "core.windows.net" } }),
  guid: (...parts) => hash("guid", parts).replace(/^(.{8})(.{4})(.{4})(.{4})(.{12}).*/, "$1-$2-$3-$4-$5"),
  items: (value = null) =>
    isFields(value)
      ? Object.keys(value)
          .toSorted()
          .map((key) => ({ key, value: value[key] ?? null }))
      : refuse("items", value),
  replace: (text, from, to) => asText(text).replaceAll(asText(from), asText(to)),
  startsWith: (text, start) => asText(text).startsWith(asText(start)),
  string: asText,
  subscription: () => ({ id: "/subscriptions/00000000-0000-0000-0000-000000000000" }),
  subscriptionResourceId: (...parts) => `/${parts.map(asText).join("/")}`,
  tenant: () => ({ tenantId: "99999999-0000-0000-0000-000000000000" }),
  toLower: (text) => asText(text).toLowerCase(),
  union: (...all) => Object.assign({}, ...all.map((one) => (isFields(one) ? one : refuse("union", one)))),
  uniqueString: (...parts) => hash("unique", parts).slice(0, 13),
};

/** @throws Error for one that is not among these */
export function callOf(name: string, given: readonly Result[]): Result {
  const work = Object.hasOwn(FUNCTIONS, name) ? FUNCTIONS[name] : undefined;
  if (work === undefined) throw new Error(`the function ${name} is not known here`);
  return work(...given);
}

function refuse(name: string, value: Result): never {
  throw new Error(`${name} of ${JSON.stringify(value)}`);
}

function hash(kind: string, parts: readonly Result[]): string {
  return createHash("sha256")
    .update(JSON.stringify([kind, parts]))
    .digest("hex");
}

/** What Azure fills in, as it does it in its public cloud. */
const TOLD: Readonly<Record<string, (name: string) => Fields>> = {
  "Microsoft.DBforPostgreSQL/flexibleServers": (name) => ({
    fullyQualifiedDomainName: `${name}.postgres.database.azure.com`,
  }),
  "Microsoft.Insights/components": (name) => ({ ConnectionString: `InstrumentationKey=of-${name}` }),
  "Microsoft.ManagedIdentity/userAssignedIdentities": (name) => ({
    clientId: `client-of-${name}`,
    principalId: `principal-of-${name}`,
  }),
  "Microsoft.Storage/storageAccounts": (name) => ({
    primaryEndpoints: {
      blob: `https://${name}.blob.core.windows.net/`,
      queue: `https://${name}.queue.core.windows.net/`,
    },
  }),
  "Microsoft.Web/sites": (name) => ({ defaultHostName: `${name}.azurewebsites.net` }),
};

/** Of a resource of this type and name, the properties that nobody gave it. */
export function toldOf(type: string, name: string): Fields {
  return TOLD[type]?.(name) ?? {};
}
