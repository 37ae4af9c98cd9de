/** Finding one's way in what a deployment would ask Azure for. */

import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Deployed, Made, Sources } from "./evaluate.ts";
import { asText, isFields, isList, toldOf, type Result } from "./functions.ts";

export async function bicepSources(folder: string): Promise<Sources> {
  const names = (await readdir(folder, { recursive: true })).filter((name) => name.endsWith(".bicep"));
  const files = names.map(async (name) => {
    const file = join(folder, name);
    return [file, await readFile(file, "utf8")] as const;
  });
  return new Map(await Promise.all(files));
}

/** Of a type, by the last part of its name. */
export function all({ resources }: Deployed, type: string): readonly Made[] {
  return resources.filter((made) => made.type.endsWith(`/${type}`));
}

/** @throws Error unless there is one */
export function only(deployed: Deployed, type: string): Made {
  const [first, ...others] = all(deployed, type);
  if (first === undefined || others.length > 0)
    throw new Error(`not one of ${type}, but ${1 + others.length}`);
  return first;
}

/** What stands there; undefined where nothing does. */
export function at({ values }: Made, ...path: readonly (string | number)[]): Result | undefined {
  let value: Result | undefined = values;
  for (const name of path)
    value = isList(value) ? value[Number(name)] : isFields(value) ? value[name] : undefined;
  return value;
}

/** What Azure says of it: `clientId`, `primaryEndpoints.blob`. */
export function told({ type, name }: Made, ...path: readonly string[]): string {
  return asText(at({ type, name, id: "", values: toldOf(type, name) }, ...path));
}

const REFERENCE = /^@Microsoft\.KeyVault\((.*)\)$/;

/**
 * The settings of the function app as its processes see them: of references to the Key Vault, the secrets.
 *
 * @param secrets that somebody has put there
 * @throws Error for a reference to a secret, or to a Key Vault, that there is not
 */
export function environmentOf(
  deployed: Deployed,
  secrets: Readonly<Record<string, string>> = {},
): Record<string, string> {
  const settings = at(only(deployed, "sites"), "properties", "siteConfig", "appSettings");
  const made = all(deployed, "secrets").map((secret) => [secret.name, at(secret, "properties", "value")]);
  const known = new Map([...Object.entries(secrets), ...made].map(([name, value]) => [asText(name), value]));
  const valueOf = (text: string): string => {
    const [, reference] = REFERENCE.exec(text) ?? [];
    if (reference === undefined) return text;
    const [, vault, secret = ""] = /^VaultName=(.+);SecretName=(.+)$/.exec(reference) ?? [];
    const value = known.get(secret);
    if (vault !== only(deployed, "vaults").name || value === undefined)
      throw new Error(`there is no secret ${reference}`);
    return asText(value);
  };
  const entries = (isList(settings) ? settings : []).map((one) => {
    if (!isFields(one)) throw new Error("a setting is no object");
    return [asText(one["name"]), valueOf(asText(one["value"]))] as const;
  });
  const names = entries.map(([name]) => name);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) throw new Error(`${twice} is set twice`);
  return Object.fromEntries(entries);
}
