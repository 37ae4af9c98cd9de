/** Where we answer otherwise than the official in-memory server does, and why. */

export interface KnownDifference {
  /** In these cases; in all of them if absent. */
  readonly cases?: RegExp;
  /** At these places: `exchanges.2.body.metadata.created_by`. */
  readonly at: RegExp;
  /** Only where it is the first with the in-memory server, and the second with us. */
  readonly values?: readonly [official: unknown, ours: unknown];
  readonly why: string;
}

/** Events that only one of the two sends; all others are compared. */
export interface KnownEvents {
  readonly cases: RegExp;
  readonly events: RegExp;
  readonly why: string;
}

export const KNOWN_EVENTS: readonly KnownEvents[] = [
  {
    cases: /streams: several modes, with subgraphs/,
    events: /^checkpoints/,
    why: "Beside values, it streams short checkpoints that nobody has asked for.",
  },
  {
    cases: /streams: joined after their end/,
    events: /^(metadata|updates)$/,
    why: "A stream that is joined after its run has ended tells the run from its beginning; there it is empty.",
  },
];

const STICKY =
  "It keeps the configuration of a thread's run with the thread, and gives it to the next run; we keep none, as it may hold secrets.";
const HIDDEN =
  "What went wrong inside a graph goes to the log, under the id that the client gets; it may hold secrets.";

const ABSENT = "The in-memory server has no such route; the hosted one has.";

export const KNOWN: readonly KnownDifference[] = [
  {
    cases: /^absent: (prune|patchState|storage)/,
    at: /^exchanges\.1\.status$/,
    values: [404, 200],
    why: ABSENT,
  },
  { cases: /^absent: cancelMany/, at: /^exchanges\.1\.status$/, values: [404, 204], why: ABSENT },
  { cases: /^absent: joinStream/, at: /^exchanges\.2\.status$/, values: [404, 200], why: ABSENT },
  {
    cases: /^absent: crons/,
    at: /^exchanges\.0\.status$/,
    values: [400, 200],
    why: "There are no crons there.",
  },
  {
    cases: /^absent: /,
    at: /^(exchanges\.\d+\.(headers|body)|returned)(\.|$)/,
    why: "An error there, the answer here.",
  },
  {
    at: /\.(run_attempt|langgraph_version|langgraph_plan|langgraph_host|langgraph_api_url)$/,
    why: "The in-memory server notes with each run what kind of deployment it is, which we are not.",
  },
  {
    at: /\.(metadata|configurable)\.(user-agent|ls_integration)$/,
    why: "It puts a client's user agent, and who traces it, into the metadata of checkpoints.",
  },
  {
    at: /^(exchanges\.\d+\.body|returned\.returned)(\.\d+)*(\.returned)?\.(interrupts|state_updated_at|values)$/,
    why: "It leaves fields out of threads that have no value yet; the hosted server, and the SDK's types, have them always.",
  },
  {
    at: /^exchanges\.\d+(\.body\.\d+|\.body)?\.tasks\.\d+\.interrupts$|\.interrupts$/,
    cases: /threads: |runs: |RemoteGraph/,
    why: "The hosted server lists a state's interrupts beside its tasks, too.",
  },
  {
    at: /^exchanges\.\d+\.(headers\.content-type|body|body\.(error|detail|success))$/,
    cases:
      /system|bad requests|missing|twice|unknown|copied|deleted|of none|kept of them|cancelled|does not exist|enqueued|fail|refuses|cannot be|at a checkpoint/,
    why: "Errors are the hosted server's JSON, not text.",
  },
  {
    at: /\.kwargs(\.|$)/,
    why: "What a run was given is shown as it was given, without what the server made of it.",
  },
  {
    at: /\.multitask_strategy$/,
    why: "A run that finds its thread busy waits, as on the hosted server; here the in-memory server rejects it.",
  },
  {
    at: /(\.data|__error__)\.(error|message)$|\.tasks\.\d+\.error$/,
    why: HIDDEN,
  },
  {
    cases: /runs: (that fail|with an input that the graph refuses)/,
    at: /^returned\.returned(\.0)?\.failed$/,
    why: HIDDEN,
  },
  {
    at: /\.x-pagination-(total|next)$/,
    why: "It compares the wrong numbers: a page that is full has a next one even if there is none.",
  },
  {
    cases: /store: labels that cannot be|bad requests/,
    at: /^exchanges\.\d+\.status$/,
    values: [400, 422],
    why: "A field that is not what was expected is a 422, as on the hosted server; the in-memory server calls some of them a 400.",
  },
  {
    at: /^exchanges\.\d+\.headers\.content-type$/,
    values: ["text/plain", "application/json"],
    why: "What it waits for comes as text that holds JSON, and so do its errors.",
  },
  {
    at: /\.config\.configurable$/,
    values: [{ "user-agent": "node" }, undefined],
    why: STICKY,
  },
  {
    cases: /runs: config, context and tags/,
    at: /^(exchanges\.2\.body|returned\.returned\.1)\.report\.color$/,
    values: ["red", null],
    why: STICKY,
  },
  {
    cases: /assistants: of an unknown graph/,
    at: /^(exchanges\.0\.(status|body\.\w+)|returned\.\w+)$/,
    why: "It creates assistants of graphs that do not exist.",
  },
  {
    cases: /assistants: found by graph/,
    at: /^(exchanges\.\d\.body|returned\.returned\.\d)\.\d\.(name|assistant_id)$/,
    why: "It overlooks how a search for assistants is to be sorted.",
  },
  {
    cases: /assistants: (schemas|subgraphs)/,
    at: /^(exchanges\.0\.(status|body|headers\.content-type)|returned\.\w+)$/,
    why: "It draws schemas from the TypeScript source of a graph, and fails for one that is JavaScript.",
  },
  {
    cases: /assistants: schemas of typed/,
    at: /^(exchanges\.0\.body|returned\.returned)\.(input|output|state)_schema$/,
    why: "It finds no schemas of a state that is a zod object.",
  },
  {
    cases: /runs: listed by pages/,
    at: /^(exchanges\.6\.body|returned\.returned\.2)\.\d\.\w+$/,
    why: "It overlooks which fields of runs are asked for.",
  },
  {
    cases: /runs: (interrupted by|stopped before)/,
    at: /^(exchanges\.\d+\.body|returned\.returned\.\d)\.(text|seen)$/,
    why: "Who waits for a run that stops gets the state beside the interrupts, as of LangGraph's own invoke; there only the interrupts.",
  },
  {
    at: /\.interrupts\.<id>$/,
    values: [[], undefined],
    why: "It lists tasks without interrupts among a thread's interrupts.",
  },
  {
    cases: /threads: created with supersteps/,
    at: /\.metadata\.graph_id$/,
    values: [undefined, "steps"],
    why: "Every checkpoint's metadata names the graph, that of an edit too.",
  },
  {
    cases: /runs: a batch/,
    at: /\.metadata\.(graph_id|assistant_id)$/,
    why: "A run's metadata names its graph and assistant, in a batch too.",
  },
  {
    cases: /runs: enqueued/,
    at: /\.metadata\.graph_id$/,
    values: ["sleeper", "steps"],
    why: "A run's metadata names its own graph, not the one that the thread ran before.",
  },
  {
    cases: /runs: from a checkpoint|threads: state read, edited/,
    at: /\.metadata\.checkpoint_(map|id|ns)$/,
    why: "It notes in the metadata of checkpoints where the run began, which parent_checkpoint tells.",
  },
  {
    cases: /threads: found by metadata/,
    at: /^(exchanges\.7\.body|returned\.returned\.3)\.[12]$/,
    why: "Its search by values finds threads without any, too.",
  },
  {
    cases: /threads: copied/,
    at: /^exchanges\.2\.body\.metadata\.thread_id$/,
    why: "It writes the id of a copy into the copy's metadata, too.",
  },
  {
    cases: /threads: copied/,
    at: /\.(status|failed)$/,
    values: [409, 404],
    why: "A thread that is to be copied and is not there is not found.",
  },
  {
    cases: /threads: state of one that never ran/,
    at: /\.metadata$/,
    values: [undefined, {}],
    why: "A state has its metadata always, as the SDK's types have it.",
  },
  {
    cases: /threads: history before a configuration/,
    at: /^(exchanges\.\d+\.(status|body)|returned\.\w+)$/,
    why: "It takes the documented form of before for a mistake.",
  },
  {
    at: /^returned\.returned(\.\d+)*\.id$/,
    cases: /runs: that fail|streams: (several modes|an interrupt)|joined/,
    why: "Events are numbered on over all runs of a thread, so that a client can go on after any of them.",
  },
  {
    cases: /runs: stateless/,
    at: /^returned\.returned\.1\.\d\.id$/,
    why: "The stream of a run without a thread can be taken up again, too.",
  },
  {
    cases: /streams: talker, messages/,
    at: /\.metadata\.tags$/,
    values: [undefined, []],
    why: "The tags of a model's call are among its metadata, as in mode messages-tuple.",
  },
  {
    at: /\.messages\.\d+\.tool_call_chunks$/,
    values: [[], undefined],
    cases: /talker|RemoteGraph/,
    why: "It has models stream in every mode, so that their answers are chunks; we only where tokens are asked for.",
  },
  {
    cases: /runs: enqueued/,
    at: /\.(status|failed)$/,
    values: [422, 409],
    why: "A thread that is busy is a conflict, as on the hosted server.",
  },
  {
    cases: /runs: on a thread that does not exist/,
    at: /\.(status|failed)$/,
    values: [422, 404],
    why: "A thread that does not exist is not found, as on the hosted server.",
  },
];
