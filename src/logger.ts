/**
 * Structured logs on standard output, one JSON object a line. Written by hand, as a logging library takes a tenth of
 * a cold start; apps that want one hand theirs over.
 */

import { systemClock } from "./clock.ts";
import type { LogWriter } from "./core/logger.ts";
import { activeTrace } from "./telemetry.ts";

/** `silent`, or a level that nothing is called by, lets nothing pass. */
const LEVELS = ["debug", "info", "warn", "error"] as const;
/** Of the errors that caused an error: enough to find it, and an end to those that cause each other. */
const MAX_CAUSES = 5;

export function openLogger(level: string): LogWriter {
  const least = LEVELS.findIndex((name) => name === level);
  const write =
    (name: (typeof LEVELS)[number]) =>
    (fields: object, message: string): void => {
      if (least < 0 || LEVELS.indexOf(name) < least) return;
      process.stdout.write(`${line({ level: name, time: systemClock.now(), ...fields, msg: message })}\n`);
    };
  return { info: write("info"), warn: write("warn"), error: write("error") };
}

/** Adds the names of the span in which a line is logged, where there is one. */
export function namingSpans(logger: LogWriter): LogWriter {
  const named = (fields: object): object => {
    const { trace_id, span_id } = activeTrace() ?? {};
    return trace_id === undefined ? fields : { trace_id, span_id, ...fields };
  };
  return {
    info: (fields, message) => logger.info(named(fields), message),
    warn: (fields, message) => logger.warn(named(fields), message),
    error: (fields, message) => logger.error(named(fields), message),
  };
}

/** What cannot be told as JSON does not keep the rest from being told. */
function line(fields: Readonly<Record<string, unknown>>): string {
  const told = Object.entries(fields).map(([key, value]): [string, unknown] => {
    const shown = value instanceof Error ? shownError(value, MAX_CAUSES) : value;
    try {
      JSON.stringify(shown);
      return [key, shown];
    } catch (error) {
      return [key, String(error)];
    }
  });
  return JSON.stringify(Object.fromEntries(told));
}

/** What an error is, without what libraries attach to theirs: requests, headers, keys. */
function shownError(error: Error, causes: number): object {
  const { name, message, stack, cause } = error;
  return {
    type: name,
    message,
    ...("code" in error ? { code: error.code } : {}),
    stack,
    ...(cause instanceof Error && causes > 0 ? { cause: shownError(cause, causes - 1) } : {}),
    ...(error instanceof AggregateError && causes > 0
      ? {
          errors: error.errors.map((one: unknown) => (one instanceof Error ? shownError(one, 0) : one)),
        }
      : {}),
  };
}
