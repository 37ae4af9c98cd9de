/** `npm run rehearse` */

import { randomUUID } from "node:crypto";
import { spawnSync } from "node:child_process";
import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { assemble, run, TARGETS, type Target } from "./assemble.ts";
import { openReport } from "./report.ts";
import { smoke } from "./smoke.ts";
import { openings } from "../deployment/deployment.ts";
import { onStage } from "./stage.ts";

const HELP = `Rehearses a deployment: builds the example app for a cloud, unpacks what would be uploaded into an empty folder,
starts it there as the cloud does, with the variables that the infrastructure sets, and uses it with the official client.

  npm run rehearse -- [options]

Options
  --target azure|lambda   one cloud only; may be repeated
  --node <version>        the Node that runs the functions: 22, 24; default: the one that runs this
  --keep                  keeps the folders, and says where they are
  --url <url>             tries this deployment of the example app instead, such as https://<name>.azurewebsites.net/api
  --key <key>             its function key
  -h, --help              shows this

The exit code is 0 when every step succeeded, 1 when one did not, 2 for a wrong command line.`;

const OPTIONS = {
  target: { type: "string", multiple: true },
  node: { type: "string" },
  keep: { type: "boolean", default: false },
  url: { type: "string" },
  key: { type: "string" },
  help: { type: "boolean", short: "h", default: false },
} as const;

/** Resolves with the exit code. */
export async function rehearse(args: string[]): Promise<number> {
  const options = parsed(args);
  if (typeof options === "string") {
    console.error(options);
    return 2;
  }
  if (options.help) {
    console.log(HELP);
    return 0;
  }
  const { url, key, keep, targets } = options;
  if (url !== undefined) {
    console.log(url);
    const report = openReport();
    await smoke(report, { url: url.replace(/\/+$/, ""), key });
    return report.verdict("The deployment");
  }
  const node = options.node === undefined ? undefined : nodeOf(options.node);
  console.log(`On Node ${options.node ?? process.versions.node}, with nothing but what is uploaded`);
  await run(["scripts/build.mjs"]);
  const folder = await mkdtemp(join(tmpdir(), "rehearsal-"));
  await chmod(folder, 0o755); // root runs Postgres as somebody else
  try {
    let code = 0;
    for (const target of targets) code = Math.max(code, await rehearseOn(target, { folder, node }));
    return code;
  } finally {
    if (keep) console.log(`\nKept: ${folder}`);
    else await rm(folder, { recursive: true, force: true, maxRetries: 10 });
  }
}

function parsed(args: string[]) {
  try {
    const { target = [...TARGETS], ...values } = parseArgs({ args, options: OPTIONS }).values;
    const targets = TARGETS.filter((one) => target.includes(one));
    const unknown = target.find((one) => !TARGETS.some((known) => known === one));
    if (unknown !== undefined) return `--target must be one of ${TARGETS.join(", ")}, not ${unknown}.`;
    if (values.url !== undefined && !URL.canParse(values.url)) return `--url ${values.url} is no URL.`;
    if (values.key !== undefined && values.url === undefined) return "--key belongs to --url.";
    return { ...values, targets };
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** Out of npm; fetched once. */
function nodeOf(version: string): string {
  const args = ["exec", "--yes", "--ignore-scripts=false", `--package=node@${version}`, "--"];
  const { stdout } = spawnSync("npm", [...args, "node", "-p", "process.execPath + process.version"], {
    encoding: "utf8",
  });
  const [path = "", actual = "none"] = stdout.trim().split(/(?=v\d+\.\d+\.\d+$)/);
  if (!actual.startsWith(`v${version}`))
    throw new Error(`Asked for Node ${version}, but npm gave ${actual}.`);
  return path;
}

interface Place {
  readonly folder: string;
  readonly node: string | undefined;
}

async function rehearseOn(target: Target, { folder, node }: Place): Promise<number> {
  console.log(`\n${target}`);
  const report = openReport();
  const { keep, close } = openings();
  const deployed = await report.step(
    "built, and what is uploaded unpacked",
    async () => assemble(target, folder),
    ({ size }) => `${size} zipped`,
  );
  if (deployed === undefined) return report.verdict(target);
  const key = randomUUID();
  const { entry } = deployed;
  const running = await report.step(
    "started",
    async () => keep(onStage({ target, folder, entry, key, node })),
    () => undefined,
  );
  if (running !== undefined) {
    await smoke(report, { url: running.url, key });
    const quiet = async () => {
      const failures = running.failures().map(String);
      if (failures.length > 0) throw new Error(failures.join("; "));
    };
    await report.step("no message and no tick has failed", quiet, () => undefined);
    if (report.failed() > 0)
      console.log(["\nThe last that it printed:", ...running.output().slice(-20)].join("\n"));
  }
  await close();
  return report.verdict(target);
}
