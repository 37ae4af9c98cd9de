/** The rules of idempotency keys: a client that asks once more, as it has had no answer, gets what it asked for first. */

/** How long a key is remembered. */
export const KEY_LIFE_MS = 24 * 3_600_000;

export interface Idempotency {
  readonly key: string;
  /** Of all that the request says. */
  readonly digest: string;
}

/** What the first request with a key made. */
export interface FirstRequest {
  readonly thread_id: string;
  /** Null when it was a thread. */
  readonly run_id: string | null;
  readonly created_at: Date;
}

/** The same request has been made before: nothing was made by this one. */
export class RepeatedRequest extends Error {
  override readonly name = "RepeatedRequest";
  readonly first: FirstRequest;

  constructor(first: FirstRequest) {
    super("The request with this Idempotency-Key has been made before");
    this.first = first;
  }
}
