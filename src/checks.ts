/** The option `checks` of an app. */

import { z } from "zod";
import type { Check, StatusCheck } from "./core/status.ts";

export interface CheckOptions {
  readonly check: Check;
  /** Whether `/status` is a 503 without it; otherwise the app is only `degraded`. Default: true. */
  readonly isRequired?: boolean;
  /** Default: 3,000; at most 10,000. */
  readonly timeoutMs?: number;
  /** How old an answer may be: what costs money is not asked with each request. Default: 5,000; at most a day. */
  readonly maxAgeMs?: number;
}

const WANTED = "must be a function (signal) => …, or { check, isRequired, timeoutMs, maxAgeMs } with one";

const Options = z.strictObject(
  {
    check: z.custom<Check>((value) => typeof value === "function", WANTED),
    isRequired: z.boolean().default(true),
    timeoutMs: z.int().min(1).max(10_000).default(3_000),
    maxAgeMs: z.int().min(0).max(86_400_000).default(5_000),
  },
  { error: ({ code }) => (code === "invalid_type" ? WANTED : undefined) },
);

/** It is shown, and may be a column of somebody's table. */
const Name = z.string().regex(/^(?=.{1,64}$)\S(.*\S)?$/, "must be a name of 1 to 64 characters");

export const Checks = z
  .record(
    Name,
    z.preprocess((value) => (typeof value === "function" ? { check: value } : value), Options),
  )
  .default({})
  .transform((checks): readonly StatusCheck[] =>
    Object.entries(checks).map(([name, check]) => ({ name, ...check })),
  );
