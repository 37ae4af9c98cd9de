/** The steps, one after the other, through the official client. */

import { Client } from "@langchain/langgraph-sdk";
import type { Report } from "./report.ts";
import { STEPS, type SmokeContext } from "./steps.ts";

export interface SmokeOptions {
  /** Of the deployment, with the route prefix. */
  readonly url: string;
  /** A function key; undefined where none is asked for. */
  readonly key: string | undefined;
}

/** A step that fails does not keep the others from being done. */
export async function smoke(report: Report, { url, key }: SmokeOptions): Promise<void> {
  const headers: Readonly<Record<string, string>> = key === undefined ? {} : { "x-functions-key": key };
  const client = new Client({
    apiUrl: url,
    apiKey: null, // not what the environment has for LangSmith
    defaultHeaders: headers,
    callerOptions: { maxRetries: 0 },
  });
  const context: SmokeContext = { client, url, headers, isGuarded: key !== undefined, threads: [] };
  for (const { name, run } of STEPS)
    await report.step(
      name,
      async () => run(context),
      (detail) => detail,
    );
}
