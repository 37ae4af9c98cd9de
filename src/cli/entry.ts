/** The entry module of a deployment, which nobody writes: the project's app, bound to its host. */

import { fileURLToPath } from "node:url";
import type { LangGraphConfig } from "./config.ts";
import type { Project } from "./project.ts";
import type { Reference } from "./reference.ts";

export const TARGETS = ["azure", "lambda"] as const;
export type Target = (typeof TARGETS)[number];

/** The source of the entry; all its imports are absolute. */
export function entrySource(project: Project, target: Target): string {
  const host =
    target === "azure"
      ? [`import { serveOnAzure } from ${ours("azure/index")};`, "serveOnAzure(app);"]
      : [
          `import { serveOnLambda } from ${ours("aws/index")};`,
          "export const { http, worker, schedule } = serveOnLambda(app);",
        ];
  const app =
    project.kind === "app" ? [`import { app } from ${quoted(project.file)};`] : appSource(project.config);
  return [`import ${ours("mapped-stacks")};`, ...app, ...host].join("\n");
}

function appSource({ graphs, httpApp, embed, auth, options }: LangGraphConfig): readonly string[] {
  const entries = Object.entries(graphs).map(
    ([graph, { description, ...reference }]) =>
      `    ${quoted(graph)}: { ${exportSource(reference)}, description: ${quoted(description)} },`,
  );
  return [
    `import { projectApp } from ${ours("project/index")};`,
    "const app = projectApp({",
    `  options: ${JSON.stringify(options)},`,
    ...(httpApp === undefined ? [] : [`  customApp: { ${exportSource(httpApp)} },`]),
    ...(embed === undefined ? [] : [`  embed: { ${exportSource(embed)} },`]),
    ...(auth === undefined ? [] : [`  auth: { ${exportSource(auth)} },`]),
    "  graphs: {",
    ...entries,
    "  },",
    "});",
  ];
}

function exportSource({ name, shown, file }: Reference): string {
  return `name: ${quoted(name)}, file: ${quoted(shown)}, load: () => import(${quoted(file)})`;
}

/** A module of this package itself, whichever copy the project would find. */
function ours(path: string): string {
  const extension = import.meta.url.slice(-3); // .js when it is built, .ts in tests
  return quoted(fileURLToPath(new URL(`../${path}${extension}`, import.meta.url)));
}

function quoted(text: string | undefined): string {
  return JSON.stringify(text) ?? "undefined";
}
