/** Finding one's way in what a Bicep file says. */

import type { BicepFile, Value } from "./read.ts";

export function find(files: readonly BicepFile[], name: string): BicepFile {
  const found = files.find(({ file }) => file.endsWith(`/${name}`));
  if (found === undefined) throw new Error(`${name} is not there`);
  return found;
}

export function entryOf(value: Value | undefined, name: string): Value | undefined {
  return value?.kind === "object" ? value.entries.find((entry) => entry.name === name)?.value : undefined;
}

/** Of a list that a condition chooses, what it may have. */
export function listOf(value: Value | undefined): readonly Value[] {
  if (value?.kind === "array") return value.items;
  return value?.kind === "either" ? value.values.flatMap(listOf) : [];
}

export function textOf(value: Value | undefined): string {
  return value?.kind === "string" ? value.text : "";
}
