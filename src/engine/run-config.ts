/** The config that a graph is called with for a run. */

import { authFields, withoutAuthFields } from "../core/auth.ts";
import type { GraphConfig } from "../core/config.ts";
import type { ClaimedRun } from "../core/ports.ts";

export function configOf({
  run_id,
  thread_id,
  graph_id,
  assistant_id,
  kwargs,
  metadata: own,
}: ClaimedRun): GraphConfig {
  const { configurable, metadata, ...config } = kwargs.config;
  return {
    ...config,
    configurable: {
      ...withoutAuthFields({ ...configurable, ...kwargs.request_headers }),
      ...authFields(kwargs.principal),
      thread_id,
      run_id,
      graph_id,
      assistant_id,
    },
    metadata: { ...metadata, ...own, run_id },
  };
}

/** Goes on from the newest checkpoint, whichever one the run started from. */
export function withoutCheckpoint({ configurable, ...config }: GraphConfig): GraphConfig {
  const { checkpoint_id: _, ...rest } = { ...configurable };
  return { ...config, configurable: rest };
}
