/** Terraform itself, as it is found, on what is in `infra/`: nothing is asked of a cloud. */

import { execFile } from "node:child_process";
import { access, cp, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const execute = promisify(execFile);

/** What a module says that the provider at hand may be too old for. */
export interface Newer {
  /** The first version that knows all of it. */
  readonly version: string;
  /** Only these need it. */
  readonly files: readonly string[];
  /** Values of variables that an older one knows, in place of the defaults. */
  readonly variables: readonly string[];
}

export interface TerraformModule extends AsyncDisposable {
  readonly folder: string;
  /** The version of the provider that checks it. */
  readonly provider: string;
  /** For `-var`. */
  readonly variables: readonly string[];
  /** @returns what it prints. @throws Error with that, where Terraform is not content */
  readonly terraform: (args: readonly string[]) => Promise<string>;
}

/**
 * A copy of a module, ready to be planned. With an older provider than it needs, it is without the files that need it.
 * @throws Error that says what to do where there is no Terraform, or no provider
 */
export async function openModule(path: string, provider: string, newer: Newer): Promise<TerraformModule> {
  const folder = await mkdtemp(join(tmpdir(), "langgraph-functions-terraform-"));
  await cp(fileURLToPath(new URL(`../../${path}`, import.meta.url)), folder, {
    recursive: true,
    filter: (file) => !file.endsWith(".terraform") && !file.endsWith(".terraform.lock.hcl"),
  });
  const found = await findProvider(provider);
  const isOlder = found !== undefined && comparable(found.version) < comparable(newer.version);
  if (isOlder) {
    for (const file of newer.files) await rm(join(folder, file));
    await writeFile(join(folder, "versions_override.tf"), pinned(provider, found.version));
  }
  await initialize(folder, provider, found);
  return {
    folder,
    provider: found?.version ?? newer.version,
    variables: isOlder ? newer.variables.map((variable) => `-var=${variable}`) : [],
    terraform: async (args) => run(folder, args),
    [Symbol.asyncDispose]: async () => rm(folder, { recursive: true, force: true }),
  };
}

/** @throws Error with what it printed */
export async function run(folder: string, args: readonly string[]): Promise<string> {
  try {
    const { stdout } = await execute("terraform", args, {
      cwd: folder,
      env: await environment(),
      maxBuffer: 512 * 1024 * 1024,
    });
    return stdout;
  } catch (error) {
    const isMissing = error instanceof Error && "code" in error && error.code === "ENOENT";
    if (isMissing)
      throw new Error("These tests need the program `terraform`, 1.11 or newer", { cause: error });
    const output = ["stdout", "stderr"].map((name) =>
      error instanceof Error ? String(Reflect.get(error, name)) : "",
    );
    throw new Error(`terraform ${args.join(" ")} failed:\n${output.join("\n")}`, { cause: error });
  }
}

/** A configuration file that is named and not there is a warning in each output. */
async function environment(): Promise<NodeJS.ProcessEnv> {
  const { TF_CLI_CONFIG_FILE, ...others } = process.env;
  const quiet = { ...others, TF_IN_AUTOMATION: "1", CHECKPOINT_DISABLE: "1" };
  const isThere = TF_CLI_CONFIG_FILE !== undefined && (await exists(TF_CLI_CONFIG_FILE));
  return isThere ? { ...quiet, TF_CLI_CONFIG_FILE } : quiet;
}

interface Provider {
  readonly plugins: string;
  readonly version: string;
}

const REGISTRY = "registry.terraform.io";

/**
 * In a folder of plugins: the one that TERRAFORM_PLUGINS names, or where administrators and Terraform itself put them.
 * Undefined where there is none, and the registry is to be asked.
 */
async function findProvider(provider: string): Promise<Provider | undefined> {
  const { TERRAFORM_PLUGINS } = process.env;
  const roots = ["/opt", "/usr/lib", "/usr/share", "/usr/local/lib", "/usr/local/share"];
  const nested = await Promise.all(
    roots.map(async (root) =>
      (await names(root)).flatMap((name) => [join(root, name), join(root, name, "plugins")]),
    ),
  );
  const folders = TERRAFORM_PLUGINS
    ? [TERRAFORM_PLUGINS]
    : [join(homedir(), ".terraform.d/plugins"), ...nested.flat()];
  for (const plugins of folders) {
    const versions = await names(join(plugins, REGISTRY, "hashicorp", provider));
    const newest = versions
      .filter((name) => /^\d/.test(name))
      .toSorted((a, b) => comparable(b) - comparable(a))[0];
    if (newest !== undefined) return { plugins, version: newest };
  }
  return undefined;
}

async function initialize(folder: string, provider: string, found: Provider | undefined): Promise<void> {
  const plugins = found === undefined ? [] : [`-plugin-dir=${found.plugins}`];
  try {
    await run(folder, ["init", "-backend=false", "-input=false", "-no-color", ...plugins]);
  } catch (error) {
    throw new Error(
      `There is no provider hashicorp/${provider}: neither does Terraform's registry answer, nor is there a folder of plugins. TERRAFORM_PLUGINS may name one: the folder that has ${REGISTRY}/hashicorp/${provider}/<version>.`,
      { cause: error },
    );
  }
}

function pinned(provider: string, version: string): string {
  return `terraform {
  required_providers {
    ${provider} = {
      source  = "hashicorp/${provider}"
      version = "${version}"
    }
  }
}
`;
}

function comparable(version: string): number {
  const [major = 0, minor = 0, patch = 0] = version.split(".").map(Number);
  return (major * 10_000 + minor) * 10_000 + patch;
}

async function names(folder: string): Promise<readonly string[]> {
  return readdir(folder).catch(() => []);
}

async function exists(file: string): Promise<boolean> {
  return access(file).then(
    () => true,
    () => false,
  );
}
