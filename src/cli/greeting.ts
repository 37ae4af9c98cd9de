/** What a person reads when the project is served. */

import type { ServerMessage } from "./messages.ts";
import { styled } from "./terminal.ts";

type Serving = Extract<ServerMessage, { kind: "serving" }>;

export function greeting({ url, graphs, keyVariable, warning }: Serving, database: string): string {
  const names = graphs.map(({ name, description }) => `  ${name.padEnd(16)} ${description ?? ""}`.trimEnd());
  const studio = `https://smith.langchain.com/studio/?baseUrl=${encodeURIComponent(url)}`;
  return [
    ...(warning === undefined ? [] : [`${styled("yellow", "Warning")}: ${warning}`, ""]),
    `Serving on ${styled("bold", url)}`,
    `  documentation    ${url}/docs`,
    `  Studio           ${studio}`,
    `  database         ${database}`,
    "",
    "Graphs",
    ...(names.length === 0 ? ["  none: register() one"] : names),
    "",
    "Call them",
    `  new Client({ apiUrl: "${url}" }) of @langchain/langgraph-sdk${keyHint(keyVariable)}`,
    "",
    "Ctrl-C stops it.",
  ].join("\n");
}

/** The key itself is not printed: what is printed ends up in logs. */
function keyHint(keyVariable: string | undefined): string {
  return keyVariable === undefined ? "" : `, with the header x-functions-key: $${keyVariable}`;
}
