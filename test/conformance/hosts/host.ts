/** Where the app runs while the official client talks to it. */

export interface ConformanceHost extends AsyncDisposable {
  /** With the route prefix: `http://127.0.0.1:12345/api`. */
  readonly url: string;
  /** What its workers and its schedule failed with. */
  readonly failures: () => readonly unknown[];
}
