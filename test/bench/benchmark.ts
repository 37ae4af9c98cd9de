import type { Row } from "./report.ts";

export interface BenchmarkDeps {
  /** A Postgres for databases of one's own. */
  readonly postgresUrl: string;
  /** A line about what goes on. */
  readonly progress: (text: string) => void;
  /** Something that belongs below the table. */
  readonly note: (text: string) => void;
  /** Turns of each contender. */
  readonly rounds: number;
}

export interface Benchmark {
  readonly name: string;
  readonly description: string;
  /** Runs only when it is named. */
  readonly isOnRequest?: boolean;
  readonly run: (deps: BenchmarkDeps) => Promise<readonly Row[]>;
}
