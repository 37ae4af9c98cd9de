/** Structured logs on standard output, one JSON object a line. */

import { pino, stdTimeFunctions } from "pino";
import type { Logger } from "./core/ports.ts";

export function openLogger(level: string): Logger {
  const log = pino({
    level,
    base: null,
    timestamp: stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
  });
  return {
    info: (fields, message) => log.info(fields, message),
    warn: (fields, message) => log.warn(fields, message),
    error: (fields, message) => log.error(fields, message),
  };
}
