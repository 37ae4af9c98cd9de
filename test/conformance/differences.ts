/** Where we answer otherwise than the official in-memory server does, and why. */

export interface KnownDifference {
  /** In these cases; in all of them if absent. */
  readonly cases?: RegExp;
  /** At these places: `exchanges.2.body.metadata.created_by`. */
  readonly at: RegExp;
  readonly why: string;
}

export const KNOWN: readonly KnownDifference[] = [
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
    why: "What went wrong inside a graph goes to the log, under the id that the client gets; it may hold secrets.",
  },
  {
    at: /\.x-pagination-(total|next)$/,
    why: "It compares the wrong numbers: a page that is full has a next one even if there is none.",
  },
];
