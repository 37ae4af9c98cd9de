/** `build`: a folder that can be deployed as it is, out of the project that `dev` serves. */

import { cp, mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { deflateRawSync } from "node:zlib";
import type { BuildFailure, Plugin } from "esbuild";
import { z } from "zod";
import { VERSION } from "../version.ts";
import { COMMON_HELP, COMMON_OPTIONS, parseCommandLine, seeHelp, UsageError } from "./arguments.ts";
import { BUNDLE } from "./bundle.ts";
import { headerVariables } from "./config-sections.ts";
import { entrySource, TARGETS, type Target } from "./entry.ts";
import { hostJson } from "./host-json.ts";
import { findProject, isFile, PROJECT_HELP, PROJECT_OPTIONS, projectEnv, type Project } from "./project.ts";
import { note, say, styled } from "./terminal.ts";
import { zipFolder } from "./zip.ts";

const HELP = `Bundles the project into a folder that needs no node_modules.

  langgraph-functions build --target azure|lambda [options]

Options
  --target <host>         azure: a function app for "func azure functionapp publish" or a zip deployment
                          lambda: the handlers lambda.http, lambda.worker and lambda.schedule, to be zipped
  --out <folder>          default: deploy
  --zip                   makes <folder>.zip as well, for what uploads one file, such as Terraform. It is the same,
                          byte for byte, as long as the project is
  --external <package>    leaves a package out of the bundle, such as one with native code; may be repeated.
                          "npm install" in the folder then brings it.
${PROJECT_HELP}
${COMMON_HELP}
`;

const OPTIONS = {
  target: { type: "string" },
  out: { type: "string", default: "deploy" },
  zip: { type: "boolean", default: false },
  external: { type: "string", multiple: true, default: [] as string[] },
  ...PROJECT_OPTIONS,
  ...COMMON_OPTIONS,
} as const;

export async function build(args: readonly string[]): Promise<number> {
  const options = parseCommandLine("build", { args: [...args], options: OPTIONS }).values;
  if (options.help) {
    say(HELP.trimEnd());
    return 0;
  }
  const target = TARGETS.find((name) => name === options.target);
  if (target === undefined)
    throw new UsageError(`--target must be one of ${TARGETS.join(", ")}.\n${seeHelp("build")}`);
  if (options.zip && options.external.length > 0)
    throw new UsageError(`--zip would lack what is --external: install that first.\n${seeHelp("build")}`);
  const project = await findProject(options);
  const out = resolve(options.out);
  await emptyFolder(out, options.out);
  note(`Bundling ${project.kind === "app" ? project.file : project.config.file} for ${target} …`);
  await bundle({ project, target, out, external: options.external });
  await writeFile(join(out, "package.json"), await packageJson(project, target, options.external));
  if (target === "azure") await writeFile(join(out, "host.json"), await projectHostJson(project));
  const zip = options.zip ? `${options.out.replace(/[\\/]+$/, "")}.zip` : undefined;
  const zipped = zip === undefined ? undefined : { shown: zip, bytes: await zipFolder(out, resolve(zip)) };
  await report({ project, target, out, shown: options.out, external: options.external, zipped });
  return 0;
}

/** In package.json of what we build, so that the next build knows that it may empty the folder. */
const MARK = "builtBy";
const EarlierBuild = z.object({ [MARK]: z.string().startsWith("langgraph-functions") });

/** @throws Error for a folder with files that we have not made, and for what is no folder */
async function emptyFolder(folder: string, shown: string): Promise<void> {
  const names = await readdir(folder).catch((error: unknown) => {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return [];
    throw new Error(`${shown} cannot be read as a folder. Name another --out.`, { cause: error });
  });
  if (names.length > 0 && !(await isEarlierBuild(folder)))
    throw new Error(`${shown} has files that are no earlier build. Empty it, or name another --out.`);
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
}

async function isEarlierBuild(folder: string): Promise<boolean> {
  try {
    const manifest: unknown = JSON.parse(await readFile(join(folder, "package.json"), "utf8"));
    return EarlierBuild.safeParse(manifest).success;
  } catch {
    return false; // there is none, or it is not JSON
  }
}

interface Bundling {
  readonly project: Project;
  readonly target: Target;
  readonly out: string;
  readonly external: readonly string[];
}

async function bundle({ project, target, out, external }: Bundling): Promise<void> {
  const { build: run } = await import("esbuild");
  try {
    await run({
      ...BUNDLE,
      entryPoints: [{ in: ENTRY, out: target }],
      outdir: out,
      absWorkingDir: project.folder,
      external: [...BUNDLE.external, ...external],
      plugins: [...BUNDLE.plugins, virtualEntry(entrySource(project, target), project.folder)],
      logLevel: "silent",
    });
  } catch (error) {
    if (isBuildFailure(error)) throw new Error(explain(error), { cause: error });
    throw error;
  }
  const assets = fileURLToPath(new URL("../http/assets/", import.meta.url));
  await cp(assets, join(out, "assets"), { recursive: true }); // of the page with the API's documentation
}

const ENTRY = "langgraph-functions:entry";

function virtualEntry(contents: string, resolveDir: string): Plugin {
  return {
    name: ENTRY,
    setup: (build) => {
      build.onResolve({ filter: /^langgraph-functions:entry$/ }, ({ path }) => ({ path, namespace: ENTRY }));
      build.onLoad({ filter: /.*/, namespace: ENTRY }, () => ({ contents, resolveDir, loader: "js" }));
    },
  };
}

function isBuildFailure(error: unknown): error is BuildFailure {
  return error instanceof Error && "errors" in error && Array.isArray(error.errors);
}

/** Each error with file and line; and the packages to install. */
function explain({ errors }: BuildFailure): string {
  const lines = errors.map(({ text, location }) =>
    location === null ? text : `${location.file}:${location.line}:${location.column + 1}: ${text}`,
  );
  const missing = errors.flatMap(
    ({ text }) => /^Could not resolve "((?:@[\w.-]+\/)?[a-z][\w.-]*)/.exec(text)?.[1] ?? [],
  );
  const advice =
    missing.length === 0 ? [] : [`Packages are missing: npm install ${[...new Set(missing)].join(" ")}`];
  return ["The project cannot be bundled:", ...lines.map((line) => `  ${line}`), ...advice].join("\n");
}

const Manifest = z.object({ name: z.string().optional(), version: z.string().optional() });

async function packageJson(
  { folder }: Project,
  target: Target,
  external: readonly string[],
): Promise<string> {
  const { name = "langgraph-functions-app", version = "0.0.0" } = await manifestOf(folder);
  const versions = external.map(async (package_) => {
    const found = await manifestOf(join(folder, "node_modules", package_));
    return [package_, found.version ?? "*"] as const;
  });
  const manifest = {
    name,
    version,
    private: true,
    type: "module",
    main: `${target}.js`,
    [MARK]: `langgraph-functions ${VERSION}`,
    ...(external.length === 0 ? {} : { dependencies: Object.fromEntries(await Promise.all(versions)) }),
  };
  return `${JSON.stringify(manifest, null, 2)}\n`;
}

async function manifestOf(folder: string): Promise<z.output<typeof Manifest>> {
  const file = join(folder, "package.json");
  return (await isFile(file)) ? Manifest.parse(JSON.parse(await readFile(file, "utf8"))) : {};
}

const HostSettings = z.object({
  extensions: z.object({ http: z.object({ routePrefix: z.string().optional() }).optional() }).optional(),
});

/** The project's own, else ours. @throws Error when its prefix is not the one that the app answers below */
async function projectHostJson(project: Project): Promise<string> {
  const routePrefix = project.kind === "config" ? (project.config.options.routePrefix ?? "api") : undefined;
  const own = join(project.folder, "host.json");
  if (!(await isFile(own))) return hostJson(routePrefix);
  const text = await readFile(own, "utf8");
  const given = HostSettings.parse(JSON.parse(text)).extensions?.http?.routePrefix ?? "api";
  if (routePrefix !== undefined && given !== routePrefix) {
    throw new Error(
      `host.json: extensions.http.routePrefix is "${given}", and the app answers below "${routePrefix}" (http.mount_prefix).`,
    );
  }
  return text;
}

interface Built extends Bundling {
  readonly shown: string;
  readonly zipped: { readonly shown: string; readonly bytes: number } | undefined;
}

async function report({ project, target, out, shown, external, zipped }: Built): Promise<void> {
  const [code, maps] = await sizesOf(out);
  const ofHeaders = project.kind === "config" ? headerVariables(project.config.options) : [];
  const variables = [...new Set([...Object.keys(projectEnv(project)), ...ofHeaders])];
  say(
    [
      `${styled("green", "built")} ${shown} for ${target}: ${inMegabytes(code)}, and ${inMegabytes(maps)} of source maps`,
      ...(zipped === undefined
        ? []
        : [`${styled("green", "zipped")} ${zipped.shown}: ${megabytes(zipped.bytes)}`]),
      ...(external.length === 0
        ? []
        : [`  npm install --omit=dev --prefix ${shown}   brings ${external.join(", ")}`]),
      ...(variables.length === 0
        ? []
        : [`  to be set where it runs: ${variables.join(", ")} (the build has no variables in it)`]),
      ...nextSteps(target, shown, zipped?.shown),
    ].join("\n"),
  );
}

function nextSteps(target: Target, out: string, zip: string | undefined): readonly string[] {
  if (target === "azure") return [`  cd ${out} && func azure functionapp publish <name>   deploys it`];
  const made = zip ?? `cd ${out} && zip -r ../lambda.zip .`;
  return [
    `  ${made}   ${zip === undefined ? "makes" : "is"} the package; handlers: lambda.http, lambda.worker, lambda.schedule`,
  ];
}

interface Size {
  readonly bytes: number;
  /** As a part of a zip file, but for some hundred bytes a file. */
  readonly zipped: number;
}

/** Of what runs, and of the source maps. */
async function sizesOf(folder: string): Promise<readonly [Size, Size]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile());
  const sizes = await Promise.all(
    files.map(async ({ name, parentPath }) => {
      const content = await readFile(join(parentPath, name));
      return { name, bytes: content.length, zipped: deflateRawSync(content).length };
    }),
  );
  const total = (isMap: boolean): Size =>
    sizes
      .filter(({ name }) => name.endsWith(".map") === isMap)
      .reduce((sum, one) => ({ bytes: sum.bytes + one.bytes, zipped: sum.zipped + one.zipped }), {
        bytes: 0,
        zipped: 0,
      });
  return [total(false), total(true)];
}

function inMegabytes({ bytes, zipped }: Size): string {
  return `${megabytes(bytes)} (${megabytes(zipped)} zipped)`;
}

function megabytes(bytes: number): string {
  return `${(bytes / 1_048_576).toFixed(1)} MB`;
}
