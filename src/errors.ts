/** The one error class: core throws by code, only the HTTP door knows that codes have statuses. */

const STATUS = {
  invalid_json: 400,
  request_too_large: 400,
  input_too_complex: 400,
  invalid_thread_id: 400,
  unauthorized: 401,
  forbidden: 403,
  not_found: 404,
  method_not_allowed: 405,
  thread_busy: 409,
  thread_exists: 409,
  assistant_exists: 409,
  assistant_changed: 409,
  run_cancelled: 409,
  state_moved: 409,
  /** By the name that official clients know it by. */
  UnknownInterruptError: 409,
  not_interrupted: 409,
  link_used: 410,
  link_expired: 410,
  link_void: 410,
  message_too_large: 413,
  unsupported_encoding: 415,
  invalid_request: 422,
  rate_limited: 429,
  graph_failed: 500,
  internal: 500,
  stream_not_supported: 501,
  embedding_failed: 502,
  unavailable: 503,
} as const;

export type ErrorCode = keyof typeof STATUS;

export interface AppErrorOptions extends ErrorOptions {
  /** When asking again makes sense, in seconds from now. */
  readonly retryAfterSeconds?: number;
  /** Under which the cause has been logged. */
  readonly errorId?: string;
  /** Of a 401: which credentials are wanted, as the header WWW-Authenticate says it. */
  readonly challenge?: string | undefined;
}

/**
 * An error with a stable code and a message that may be shown to the client. One that your own code throws, in an
 * `Authenticator`, a context factory or a graph, becomes the answer; of any other error the client is told nothing.
 */
export class AppError extends Error {
  override readonly name = "AppError";
  readonly code: ErrorCode;
  readonly retryAfterSeconds: number | undefined;
  readonly errorId: string | undefined;
  readonly challenge: string | undefined;

  constructor(code: ErrorCode, message: string, options: AppErrorOptions = {}) {
    super(message, options);
    this.code = code;
    this.retryAfterSeconds = options.retryAfterSeconds;
    this.errorId = options.errorId;
    this.challenge = options.challenge;
  }

  get status(): (typeof STATUS)[ErrorCode] {
    return STATUS[this.code];
  }
}
