/** What docs/observability.md says of log lines and metrics, from its tables. */

import { readFileSync } from "node:fs";

const docs = readFileSync(new URL("../../docs/observability.md", import.meta.url), "utf8");

/** The cells of the rows of the table below a heading, without the quotes of code. */
function rows(heading: string): readonly (readonly string[])[] {
  const [, section = ""] = docs.split(`\n## ${heading}\n`);
  const [own = ""] = section.split("\n## ");
  return own
    .split("\n")
    .filter((line) => line.startsWith("| `"))
    .map((line) =>
      line.split(" | ").map((cell) =>
        cell
          .replaceAll(/^\| |\|$/g, "")
          .trim()
          .replaceAll("`", ""),
      ),
    );
}

const messages = new Map<string, Set<string>>();
for (const [message = "", level = ""] of rows("Messages"))
  messages.set(level, (messages.get(level) ?? new Set()).add(message));

export const logged = {
  fields: new Set(rows("Fields of log lines").map(([name = ""]) => name)),
  /** By level. */
  messages,
};

/** Name, kind and unit. */
export const METRICS = rows("Metrics").map((cells) => cells.slice(0, 3).join(" "));

/** What of a line the documentation does not tell of. */
export function unlisted(level: string, fields: object, message: string): readonly string[] {
  const isKnown = logged.messages.get(level)?.has(message) === true;
  const strange = Object.keys(fields).filter((name) => !logged.fields.has(name));
  return [...(isKnown ? [] : [`${level}: ${message}`]), ...strange.map((name) => `${name}, of ${message}`)];
}
