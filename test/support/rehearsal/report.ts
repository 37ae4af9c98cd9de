/** What is told of each step as it goes, and how many failed. */

export interface Report {
  /** Resolves with what the step did, or with undefined when it failed. */
  readonly step: <Result>(
    name: string,
    run: () => Promise<Result>,
    detail: (result: Result) => string | undefined,
  ) => Promise<Result | undefined>;
  readonly failed: () => number;
  /** Says the last word. Resolves with the exit code. */
  readonly verdict: (what: string) => number;
}

export function openReport(): Report {
  const begun = performance.now();
  let failed = 0;
  return {
    step: async (name, run, detail) => {
      const start = performance.now();
      const line = (mark: string, detail: string | undefined): void => {
        const ms = Math.round(performance.now() - start).toString();
        console.log(
          `  ${mark} ${name.padEnd(40)} ${ms.padStart(6)} ms${detail === undefined ? "" : `   ${detail}`}`,
        );
      };
      try {
        const result = await run();
        line("ok  ", detail(result));
        return result;
      } catch (error) {
        failed++;
        line("FAIL", error instanceof Error ? error.message : String(error));
        return undefined;
      }
    },
    failed: () => failed,
    verdict: (what) => {
      const seconds = ((performance.now() - begun) / 1000).toFixed(1);
      console.log(`${what}: ${failed === 0 ? "all is well" : `${failed} step(s) FAILED`}, in ${seconds} s.`);
      return failed === 0 ? 0 : 1;
    },
  };
}
