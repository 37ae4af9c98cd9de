/**
 * What is logged: only these fields and these messages, so that searches and alarms can count on them. Each is told of in
 * docs/observability.md. No secrets, and nothing of what runs are given, do or say, but for what an error tells.
 */

export interface LogFields {
  /** Who is told of it, and finds it by this. */
  readonly error_id?: string;
  /** The answer's code. */
  readonly code?: string;
  readonly err?: unknown;
  /** In words of ours. */
  readonly reason?: string;
  readonly run_id?: string;
  readonly thread_id?: string;
  readonly graph_id?: string;
  readonly assistant_id?: string;
  readonly cron_id?: string;
  readonly due_at?: Date;
  /** The run that it tells of. */
  readonly webhook_id?: string;
  readonly attempts?: number;
  /** True of a message that asks to look at what is due. */
  readonly tick?: true;
  /** Of the tick. */
  readonly step?: string;
  /** What a tick has done, and the runs that it found: how many, and for how many seconds the first has waited. */
  readonly recovered?: number;
  readonly resent?: number;
  readonly fired?: number;
  readonly expired?: number;
  readonly waiting_runs?: number;
  readonly running_runs?: number;
  readonly oldest_waiting_run_age_s?: number;
  /** Of the status. */
  readonly check?: string;
  readonly request_id?: string;
  readonly trace_id?: string;
  readonly span_id?: string;
}

export type InfoMessage = "Tick";

export type WarnMessage =
  | "A cron made no run"
  | "A cron's run could not be woken; the timer will do it"
  | "A run cannot be followed; its client comes back"
  | "A run goes on although its client may have left"
  | "A run goes on without its context: the graph's context factory made something that is not JSON, and the request is over"
  | "A stream of a thread was broken off"
  | "A webhook could not be delivered; it is tried again later"
  | "A worker could not be woken; the timer will do it"
  | "Dropped a queue message that is none of ours"
  | "No wake-up could be sent ahead; if this process dies, the timer finds its runs"
  | "OpenTelemetry has a problem"
  | "Traces and metrics could not be delivered in time";

export type ErrorMessage =
  | "A cron could not be fired; the next tick tries again"
  | "A check of the status failed"
  | "A cron has stopped: its schedule cannot be read"
  | "A graph does not tell its input; its tool takes any"
  | "A queue message failed; it should be delivered again"
  | "A request failed"
  | "A response could not be sent"
  | "A run could not be given up; a later tick tries again"
  | "A run could not be recorded"
  | "A run failed"
  | "A run without a client could not be cancelled"
  | "A step of the tick failed; the next tick tries again"
  | "A thread is gone, but not what its graph's own checkpointer has of it"
  | "A webhook was given up"
  | "OpenTelemetry could not be started; the app serves without it";

/** What writes lines: a Powertools, pino or console logger alike. */
export interface LogWriter {
  readonly info: (fields: object, message: string) => void;
  readonly warn: (fields: object, message: string) => void;
  readonly error: (fields: object, message: string) => void;
}

/** What the layers log by. */
export interface Logger {
  readonly info: (fields: LogFields, message: InfoMessage) => void;
  readonly warn: (fields: LogFields, message: WarnMessage) => void;
  readonly error: (fields: LogFields, message: ErrorMessage) => void;
}
