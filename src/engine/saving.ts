/** What a run does about state that could not be saved: it stops, and what was saved is gone on from. */

/** The run's state could not be saved, for the reason that is the cause. */
export class NotSaved extends Error {
  override readonly name = "NotSaved";

  constructor(cause: unknown) {
    super("The state could not be saved", { cause });
  }
}
