/** What the program says, and how: results on standard output, everything about the way there on standard error. */

import { wantsColours } from "../environment.ts";

const CODES = {
  bold: [1, 22],
  dim: [2, 22],
  red: [31, 39],
  green: [32, 39],
  yellow: [33, 39],
  cyan: [36, 39],
} as const;

/** The text in a style, where a person looks at it. */
export function styled(
  style: keyof typeof CODES,
  text: string,
  stream: NodeJS.WriteStream = process.stdout,
): string {
  const [on, off] = CODES[style];
  return stream.isTTY && wantsColours() ? `\u001B[${on}m${text}\u001B[${off}m` : text;
}

export function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

/** Of what goes on; never part of a result that another program reads. */
export function note(text: string): void {
  process.stderr.write(`${styled("dim", text, process.stderr)}\n`);
}

export function warn(text: string): void {
  process.stderr.write(`${styled("yellow", "warning", process.stderr)} ${text}\n`);
}

/** The message; the way to it is for those who ask with `--verbose`. */
export function complain(error: unknown, { verbose }: { readonly verbose: boolean }): void {
  const message = error instanceof Error ? error.message : String(error);
  process.stderr.write(`${styled("red", "error", process.stderr)} ${message}\n`);
  if (verbose && error instanceof Error) process.stderr.write(`${stackOf(error)}\n`);
}

function stackOf(error: Error): string {
  const { stack = "", cause } = error;
  return cause instanceof Error ? `${stack}\ncaused by ${stackOf(cause)}` : stack;
}
