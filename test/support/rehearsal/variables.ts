/** Whether a deployment is told no more here than what the infrastructure tells it. */

import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Target } from "./assemble.ts";

const INFRASTRUCTURE: Readonly<Record<Target, { readonly folder: string; readonly named: RegExp }>> = {
  azure: { folder: "infra/azure", named: /\{\s*name: '([A-Za-z]\w+)',?\s+value:/g },
  lambda: { folder: "infra/aws", named: /^\s*([A-Z][A-Z0-9_]+)\s+=\s/gm },
};

/** What is told in another way here, as nobody signs in to an emulator. */
const STANDS_FOR: Readonly<Record<string, string>> = {
  AzureWebJobsStorage: "AzureWebJobsStorage__queueServiceUri",
};

/** @throws Error that names the variables that no infrastructure sets, without which the deployment would be another one */
export async function checkVariables(target: Target, names: readonly string[], root: string): Promise<void> {
  const { folder, named } = INFRASTRUCTURE[target];
  const set = await namesIn(join(root, folder), named);
  const missing = names.map((name) => STANDS_FOR[name] ?? name).filter((name) => !set.has(name));
  if (missing.length > 0)
    throw new Error(`${folder} does not set ${missing.join(", ")}, which the deployment needs`);
}

/** The names of all variables that its files set, always or where it is asked to. */
async function namesIn(folder: string, named: RegExp): Promise<ReadonlySet<string>> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter(({ name }) => /\.(bicep|tf)$/.test(name));
  const texts = await Promise.all(
    files.map(async ({ name, parentPath }) => readFile(join(parentPath, name), "utf8")),
  );
  return new Set(texts.flatMap((text) => [...text.matchAll(named)].map(([, name = ""]) => name)));
}
