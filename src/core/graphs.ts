/** The registry of graphs: what `register()` takes, what it refuses, and how a graph is loaded when a run needs it. */

import { z } from "zod";
import { AppError } from "../errors.ts";
import { mergeConfigs, type GraphConfig } from "./config.ts";
import type { AuthLevel, JsonObject, User } from "./model.ts";

/** The part of a compiled LangGraph.js graph that we use; structural, so that any copy of the library fits. */
export interface CompiledGraph {
  checkpointer?: unknown;
  store?: unknown;
  readonly nodes?: Readonly<Record<string, unknown>>;
  readonly channels?: Readonly<Record<string, unknown>>;
  stream(input: unknown, options?: object): Promise<AsyncIterable<unknown>>;
  streamEvents(
    input: unknown,
    options: { readonly version: "v2" | "v3"; readonly runId?: string },
  ): AsyncIterable<unknown> | Promise<AsyncIterable<unknown>>;
  getState(config: object, options?: object): Promise<StateSnapshot>;
  getStateHistory(config: object, options?: object): AsyncIterable<StateSnapshot>;
  bulkUpdateState(config: object, supersteps: readonly object[]): Promise<StateSnapshot["config"]>;
  withConfig(config: object): CompiledGraph;
}

/** @see https://langchain-ai.github.io/langgraphjs/reference/interfaces/langgraph.StateSnapshot.html */
export interface StateSnapshot {
  readonly values: unknown;
  readonly next: readonly string[];
  readonly tasks?: readonly {
    readonly id: string;
    readonly name?: string;
    readonly path?: readonly unknown[];
    readonly error?: unknown;
    readonly interrupts?: readonly { readonly id?: string }[];
    /** Of the subgraph that it runs: its state where that was asked for, else the config to ask with. */
    readonly state?: unknown;
    readonly result?: unknown;
  }[];
  readonly config: { readonly configurable?: Readonly<Record<string, unknown>> };
  readonly metadata?: unknown;
  readonly createdAt?: string | undefined;
  readonly parentConfig?: { readonly configurable?: Readonly<Record<string, unknown>> } | undefined;
}

/** An agent wrapper, such as what LangChain's `createAgent` returns, that holds its compiled graph. */
interface GraphHolder {
  readonly graph: CompiledGraph;
}

/** What a factory is told of the call that needs the graph, in the words of the LangGraph Platform. */
export interface GraphRuntime {
  readonly accessContext: "threads.create_run" | "threads.read";
  /** Null when the graph is not run but only asked about a state. */
  readonly executionRuntime: { readonly context: unknown } | null;
}

const READING: GraphRuntime = { accessContext: "threads.read", executionRuntime: null };

/** Makes a graph for one run from the run's config. */
export type GraphFactory = (
  config: GraphConfig,
  runtime: GraphRuntime,
) => CompiledGraph | GraphHolder | Promise<CompiledGraph | GraphHolder>;

type Loadable = CompiledGraph | GraphHolder | Promise<CompiledGraph | GraphHolder> | GraphFactory;
type GraphModule = { readonly graph: Loadable } | { readonly default: Loadable };

/**
 * Loads the graph, or a module that exports it as `graph` or `default`, when a run first needs it: a cold function
 * that only answers `/health` never does. It takes no parameters; that is how it differs from a factory.
 */
export type GraphLoader = () => Loadable | Promise<GraphModule>;

export type GraphSource = Loadable | GraphLoader;

/**
 * Makes what a run's nodes and tools see as `runtime.context`, from the request that started the run, without its body,
 * and who sent it: undefined for callers who have not signed in. An object is laid over the request's own `context`,
 * anything else takes its place; null and undefined leave that as it is. A run that is executed in the background, or handed
 * over to another invocation, has the context as it was when the run was asked for, if it is JSON; if it is not, the run
 * goes on without, and the log says so. Where this throws, no run is made: the client is told an `AppError`, and of
 * anything else that it failed.
 */
export type ContextFactory = (request: Request, user: User | undefined) => unknown;

/** What `LangGraphApp.register()` takes. */
export interface GraphOptions {
  /** A letter, then letters, digits, `_` or `-`; at most 64; unique without regard to case. */
  readonly name: string;
  /** A compiled graph, a promise of one, a factory `(config) => graph`, or a loader `() => import("./graph.js")`. */
  readonly graph: GraphSource;
  readonly description?: string | undefined;
  /** `false` makes the graph invoke-only: its stream endpoint answers 501. */
  readonly stream?: boolean | undefined;
  /**
   * The function key that callers of this graph need; the app's level if absent. `anonymous`, where callers sign in, also
   * lets those use the graph's own endpoints who have not: who knows the id of a thread that a stranger has made, and has
   * not signed in, reaches it; no user does.
   */
  readonly authLevel?: AuthLevel | undefined;
  /** Checks and documents `input`; the graph gets what the schema returns. */
  readonly inputSchema?: z.ZodType | undefined;
  /** Checks and documents `output`; the client gets what the schema returns. */
  readonly outputSchema?: z.ZodType | undefined;
  /** Defaults that a request's config is laid over. */
  readonly config?: GraphConfig | undefined;
  /** Makes the runtime context of each run that a request starts. Default: the request's own `context`. */
  readonly context?: ContextFactory | undefined;
}

/** A registered graph: its options, checked, and the way to its compiled form. */
export interface Graph extends Omit<GraphOptions, "graph"> {
  readonly stream: boolean;
  readonly authLevel: AuthLevel;
  /** Registered as `anonymous`: its own endpoints take callers who have not signed in. */
  readonly isOpen: boolean;
  /** Of the graph's default assistant, for the runtime context. */
  readonly assistantContext?: JsonObject;
  /** False only when the graph is known to be compiled with `checkpointer: false`; never loads the graph to find out. */
  readonly hasCheckpointer: () => boolean;
  /** Begins to load what will be needed, if it has not been; whoever loads the graph is told if that fails. */
  readonly preload: () => void;
  /** Loads the graph: once, unless it is a factory, which makes one for each config. */
  readonly load: (config: GraphConfig, runtime?: GraphRuntime) => Promise<CompiledGraph>;
}

const isSchema = (value: unknown): value is z.ZodType =>
  isObject(value) && typeof value["safeParseAsync"] === "function";
const isName = (value: unknown): value is string =>
  typeof value === "string" && /^[a-zA-Z][a-zA-Z0-9_-]{0,63}$/.test(value);
const isFunction = (value: unknown): value is ContextFactory => typeof value === "function";

/** All but the graph itself, which is looked at when it is loaded. */
const Options = z.strictObject({
  name: z.custom<string>(
    isName,
    'must start with a letter, go on with letters, digits, "_" or "-", and have 64 characters at most',
  ),
  graph: z.unknown(),
  description: z.string().optional(),
  stream: z.boolean().default(true),
  authLevel: z
    .enum(["anonymous", "function", "admin"], 'must be "anonymous", "function" or "admin"')
    .optional(),
  inputSchema: z.custom<z.ZodType>(isSchema, "must be a zod schema").optional(),
  outputSchema: z.custom<z.ZodType>(isSchema, "must be a zod schema").optional(),
  config: z.custom<GraphConfig>(isObject, "must be an object").optional(),
  context: z.custom<ContextFactory>(isFunction, "must be a function of the request").optional(),
});

/** What a deployment sets for the default assistant of a graph. */
export interface GraphDefaults extends GraphConfig {
  readonly context?: JsonObject;
}

export class GraphRegistry {
  readonly #graphs = new Map<string, Graph>();

  /** @throws TypeError that says what is wrong with the options and what to do. */
  add(options: GraphOptions, defaults: { readonly authLevel: AuthLevel }): void {
    const { graph: _, ...parsed } = parseOptions(options);
    const twin = this.list().find(({ name }) => name.toLowerCase() === parsed.name.toLowerCase());
    if (twin !== undefined) {
      throw new TypeError(
        `register(): a graph named "${twin.name}" is registered already; give this one another name.`,
      );
    }
    this.#graphs.set(parsed.name, {
      ...parsed,
      authLevel: parsed.authLevel ?? defaults.authLevel,
      isOpen: parsed.authLevel === "anonymous",
      ...graphLoader(parsed.name, options.graph),
    });
  }

  /** @throws AppError `not_found` */
  get(name: string): Graph {
    const graph = this.#graphs.get(name);
    if (graph === undefined) throw new AppError("not_found", `Graph '${name}' not found`);
    return graph;
  }

  list(): readonly Graph[] {
    return [...this.#graphs.values()];
  }

  /** Lays a deployment's defaults over those that a graph was registered with. @throws Error for a graph that is not registered */
  configure(name: string, { context, ...config }: GraphDefaults): void {
    const graph = this.#graphs.get(name);
    if (graph === undefined)
      throw new Error(`LANGGRAPH_CONFIG: there is no graph "${name}"; there are ${this.#names()}`);
    this.#graphs.set(name, {
      ...graph,
      config: mergeConfigs(graph.config ?? {}, config),
      ...(context === undefined ? {} : { assistantContext: context }),
    });
  }

  #names(): string {
    return [...this.#graphs.keys()].map((name) => `"${name}"`).join(", ") || "none";
  }
}

function parseOptions(options: GraphOptions): z.output<typeof Options> {
  const result = Options.safeParse(options);
  if (result.success) return result.data;
  const problems = result.error.issues.map(
    ({ path, message }) => `${path.length > 0 ? `${path.join(".")} ` : ""}${message}`,
  );
  throw new TypeError(`register(${JSON.stringify(options.name)}): ${problems.join("; ")}.`);
}

function graphLoader(name: string, source: GraphSource): Pick<Graph, "preload" | "load" | "hasCheckpointer"> {
  let loaded: Promise<CompiledGraph | GraphFactory> | undefined;
  let known: CompiledGraph | undefined;
  if (isPromise(source))
    source.then(undefined, () => undefined); // told to whoever asks for the graph
  else if (typeof source !== "function") known = unwrap(name, source);
  const resolved = (): Promise<CompiledGraph | GraphFactory> => (loaded ??= resolve(name, source));
  return {
    hasCheckpointer: () => known?.checkpointer !== false,
    preload: () => void resolved().catch(() => undefined),
    load: async (config, runtime = READING) => {
      const asked = resolved();
      const found = await asked.catch((error: unknown) => {
        if (loaded === asked) loaded = undefined; // an import or a promise that failed once may work the next time
        throw error;
      });
      if (typeof found === "function") return unwrap(name, await found(config, runtime));
      known = found;
      return known;
    },
  };
}

/** Follows loaders, modules and promises to a compiled graph, or to a factory, which is asked again for each run. */
async function resolve(name: string, source: unknown): Promise<CompiledGraph | GraphFactory> {
  const value: unknown = await source;
  if (isFactory(value)) return value;
  if (isLoader(value)) return resolve(name, value());
  if (isObject(value) && "graph" in value) return resolve(name, value["graph"]);
  if (isObject(value) && "default" in value) return resolve(name, value["default"]);
  return unwrap(name, value);
}

/** The compiled graph itself, out of an agent wrapper if need be. @throws TypeError for anything else. */
function unwrap(name: string, value: unknown): CompiledGraph {
  if (isObject(value) && isCompiled(value["graph"])) return value["graph"];
  if (isCompiled(value)) return value;
  const advice =
    isObject(value) && typeof value["compile"] === "function"
      ? "has not been compiled: register graph.compile()."
      : 'must be a compiled graph, a promise of one, a factory (config) => graph, or a loader () => import("./graph.js") of a module that exports it as `graph` or `default`.';
  throw new TypeError(`register("${name}"): the graph ${advice}`);
}

/** The same graph on another checkpointer; the user's own object stays as it was. */
export function withCheckpointer(graph: CompiledGraph, checkpointer: unknown): CompiledGraph {
  const copy = graph.withConfig({});
  copy.checkpointer = checkpointer;
  return copy;
}

/** What graphs get as their store, unless they bring one of their own: an owner's, or the one that all share. */
export type GraphStores = (owner: string | null | undefined) => Promise<object>;

/** The same graph with a store, if it was compiled without one; the user's own object stays as it was. */
export function withStore(graph: CompiledGraph, store: unknown): CompiledGraph {
  if (graph.store !== undefined) return graph;
  const copy = graph.withConfig({});
  copy.store = store;
  return copy;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}

function isPromise(value: unknown): value is PromiseLike<unknown> {
  return isObject(value) && typeof value["then"] === "function";
}

export function isCompiled(value: unknown): value is CompiledGraph {
  return (
    isObject(value) &&
    ["stream", "getState", "withConfig"].every((method) => typeof value[method] === "function")
  );
}

/** A function that asks for the run's config makes a graph for each run; one that asks for nothing loads once. */
function isFactory(value: unknown): value is GraphFactory {
  return typeof value === "function" && value.length > 0;
}

function isLoader(value: unknown): value is () => unknown {
  return typeof value === "function";
}
