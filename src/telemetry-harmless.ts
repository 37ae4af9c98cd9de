/** Providers of OpenTelemetry, their samplers, processors and views are others' code: what they throw is not to become ours. */

import { diag } from "@opentelemetry/api";

/** What `work` gives, or else `otherwise`. */
export function harmless<T>(work: () => T, otherwise: T): T {
  try {
    return work();
  } catch {
    diag.error("Something was not recorded, as the provider has thrown an error");
    return otherwise;
  }
}
