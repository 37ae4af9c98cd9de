/** `dev`: serves a project on this machine, in a process of its own that is started again when a file changes. */

import { dirname, join, relative, resolve } from "node:path";
import { systemClock } from "../clock.ts";
import { startEmbeddedPostgres } from "../local/postgres.ts";
import { allVariables, type Variables } from "../environment.ts";
import { EMBEDDED_AUTH } from "../host-settings.ts";
import { COMMON_HELP, COMMON_OPTIONS, parseCommandLine } from "./arguments.ts";
import { greeting } from "./greeting.ts";
import type { ServerMessage } from "./messages.ts";
import { findProject, PROJECT_HELP, PROJECT_OPTIONS, projectEnv, type Project } from "./project.ts";
import { startServerChild, type ServerChild } from "./server-child.ts";
import { complain, note, say, styled, warn } from "./terminal.ts";
import { watchSources, type Sources } from "./watch.ts";

const HELP = `Serves the project on this machine, and again when its files change.

  langgraph-functions dev [options]

Options
${PROJECT_HELP}
  --port <number>         default: PORT, else 7071; 0 takes any free one
  --host <address>        default: HOST, else 127.0.0.1
  --database-url <url>    default: DATABASE_URL, else an embedded Postgres; its data are in .langgraph-functions
  --fresh                 empties the embedded Postgres first
  --no-reload             does not look for changes
${COMMON_HELP}

The variables of the project (env in langgraph.json) and of the environment are set; the environment's win.
`;

const OPTIONS = {
  ...PROJECT_OPTIONS,
  port: { type: "string" },
  host: { type: "string" },
  "database-url": { type: "string" },
  fresh: { type: "boolean", default: false },
  "no-reload": { type: "boolean", default: false },
  ...COMMON_OPTIONS,
} as const;

type Options = ReturnType<typeof parse>;

function parse(args: readonly string[]) {
  return parseCommandLine("dev", { args: [...args], options: OPTIONS }).values;
}

/** Until Ctrl-C (or SIGTERM, or the end of the terminal); a second Ctrl-C does not wait. */
export async function dev(args: readonly string[]): Promise<number> {
  const options = parse(args);
  if (options.help) {
    say(HELP.trimEnd());
    return 0;
  }
  const stopped = stopSignal();
  const project = await findProject(options);
  for (const key of ignoredKeys(project)) warn(key);
  await using database = await openDatabase(options, project);
  using sources = options["no-reload"] ? undefined : await watchProject(project);
  const session = new Session(options, database, stopped);
  const code = await session.serve(sources);
  note("Stopped. The data stays for the next start.");
  return code;
}

/** One call of `dev`: a server after the other, on the same port and the same database. */
class Session {
  readonly #options: Options;
  readonly #database: DevDatabase;
  readonly #stopped: Promise<void>;
  #port: string | undefined;
  #isFirst = true;
  #hasServed = false;
  #isMendable = false;

  constructor(options: Options, database: DevDatabase, stopped: Promise<void>) {
    this.#options = options;
    this.#database = database;
    this.#stopped = stopped;
    this.#port = options.port;
  }

  async serve(sources: Sources | undefined): Promise<number> {
    for (;;) {
      const changed = sources?.changed() ?? never();
      const child = await this.#start();
      const reason = await Promise.race([
        this.#stopped.then(() => "stop" as const),
        changed,
        child === undefined ? never() : child.exit.then(() => "exit" as const),
      ]);
      if (reason === "stop") {
        note("Stopping …");
        await child?.stop();
        return 0;
      }
      if (reason === "exit") {
        if (!this.#isMendable || sources === undefined) return 1;
        note("Waiting for a change …");
        if ((await Promise.race([changed, this.#stopped])) === undefined) return 0;
      }
      this.#isFirst = false;
      await child?.stop();
      note(`${styled("cyan", "changed", process.stderr)} ${relative(process.cwd(), await changed)}`);
    }
  }

  /** Undefined when langgraph.json has become one that cannot be served; until it changes again. */
  async #start(): Promise<ServerChild | undefined> {
    try {
      const project = await findProject(this.#options);
      const { folder } = project;
      return startServerChild({
        args: projectArguments(project),
        folder,
        env: this.#env(project),
        tell: this.#hear(),
      });
    } catch (error) {
      if (this.#isFirst) throw error;
      complain(error, this.#options);
      return undefined;
    }
  }

  #env(project: Project): Variables {
    const { host } = this.#options;
    return {
      ...projectEnv(project),
      ...allVariables(),
      ...this.#database.env,
      ...(this.#port === undefined ? {} : { PORT: this.#port }),
      ...(host === undefined ? {} : { HOST: host }),
    };
  }

  #hear(): (message: ServerMessage) => void {
    const began = systemClock.now().getTime();
    const problems = new Set<string>();
    return (message) => {
      switch (message.kind) {
        case "serving":
          this.#port = new URL(message.url).port;
          this.#isMendable = true;
          if (!this.#hasServed) say(greeting(message, this.#database.description ?? message.database));
          else note(`Serving again after ${systemClock.now().getTime() - began} ms.`);
          this.#hasServed = true;
          break;
        case "graph":
          problems.add(message.graph);
          complain(new Error(`the graph "${message.graph}" cannot be loaded: ${message.message}`), {
            verbose: false,
          });
          break;
        case "checked":
          if (problems.size > 0) note("The others are served. Mend the file, and it is loaded again.");
          break;
        case "failed":
          this.#isMendable = message.isMendable;
          complain(Object.assign(new Error(message.message), { stack: message.stack }), this.#options);
          break;
      }
    };
  }
}

interface DevDatabase extends AsyncDisposable {
  /** What the servers sign in to it with. */
  readonly env: Variables;
  /** For a person; undefined for one that the server describes. */
  readonly description?: string;
}

/** The embedded one is started here, once, so that it outlives the servers. */
async function openDatabase(options: Options, project: Project): Promise<DevDatabase> {
  const url = options["database-url"] ?? { ...projectEnv(project), ...allVariables() }["DATABASE_URL"] ?? "";
  if (url !== "") {
    if (options.fresh)
      throw new Error("--fresh empties the embedded Postgres only; DATABASE_URL names another one.");
    return { env: { DATABASE_URL: url }, [Symbol.asyncDispose]: async () => undefined };
  }
  note("Starting the embedded Postgres …");
  const folder = join(project.folder, ".langgraph-functions");
  const embedded = await startEmbeddedPostgres({ folder, fresh: options.fresh });
  return {
    env: { DATABASE_URL: embedded.url, DATABASE_AUTH: EMBEDDED_AUTH },
    description: `embedded Postgres in ${embedded.folder}`,
    [Symbol.asyncDispose]: async () => embedded[Symbol.asyncDispose](),
  };
}

/** Its folder, and those of files that it takes from elsewhere. */
async function watchProject(project: Project): Promise<Sources> {
  const names = ["package.json", "tsconfig.json"];
  if (project.kind === "app") return watchSources([project.folder], names);
  const { file, envFile, graphs, httpApp, embed, auth } = project.config;
  const files = [
    file,
    envFile,
    httpApp?.file,
    embed?.file,
    auth?.file,
    ...Object.values(graphs).map((graph) => graph.file),
  ];
  const folders = new Set([
    project.folder,
    ...files.flatMap((path) => (path === undefined ? [] : dirname(path))),
  ]);
  const outside = [...folders].filter((folder) => relative(project.folder, folder).startsWith(".."));
  const others = [file, envFile].flatMap((path) => (path === undefined ? [] : relative(dirname(path), path)));
  return watchSources([project.folder, ...outside], [...names, ...others]);
}

function projectArguments(project: Project): readonly string[] {
  return project.kind === "app" ? ["--app", resolve(project.file)] : ["--config", project.config.file];
}

function ignoredKeys(project: Project): readonly string[] {
  if (project.kind === "app") return [];
  const { ignored, sweeps } = project.config;
  const tell = (reason: string, keys: readonly string[]): readonly string[] =>
    keys.length === 0 ? [] : [`without effect here, as ${reason}: ${keys.join(", ")}`];
  return [
    ...tell("they are about the containers and the UI of the Platform", ignored),
    ...tell("each tick deletes what has expired", sweeps),
  ];
}

async function stopSignal(): Promise<void> {
  await new Promise<void>((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(signal, () => resolve());
  });
}

async function never(): Promise<never> {
  return new Promise(() => undefined);
}
