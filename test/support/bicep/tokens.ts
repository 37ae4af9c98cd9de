/** The words of a Bicep file. */

export interface Token {
  /** A `text` is a string: what it says, and what is filled in, as words again. */
  readonly kind: "name" | "number" | "text" | "sign";
  readonly text: string;
  readonly parts: readonly (string | readonly Token[])[];
  readonly line: number;
  /** Whether it is the first of its line. */
  readonly isFirst: boolean;
}

const PATTERNS = [
  ["blank", /[ \t\r\n]+|\/\/[^\n]*|\/\*[\s\S]*?\*\//y],
  ["name", /[A-Za-z_]\w*/y],
  ["number", /\d+/y],
  ["sign", /[=!<>]=|&&|\|\||\?\?|\.\?|[-+*/%<>=!?:.,@()[\]{}]/y],
] as const;

const ESCAPES: Readonly<Record<string, string>> = { n: "\n", r: "\r", t: "\t" };

/** @throws Error with the line of what is no word */
export function tokensOf(source: string): readonly Token[] {
  const tokens: Token[] = [];
  let [at, line, isFirst] = [0, 1, true];
  while (at < source.length) {
    const { kind, text, parts } = source[at] === "'" ? readString(source, at) : readWord(source, at, line);
    if (kind !== "blank") tokens.push({ kind, text, parts, line, isFirst });
    isFirst = kind === "blank" && (isFirst || text.includes("\n"));
    line += text.split("\n").length - 1;
    at += text.length;
  }
  return tokens;
}

type Read = Pick<Token, "text" | "parts"> & { readonly kind: Token["kind"] | "blank" };

function readWord(source: string, at: number, line: number): Read {
  for (const [kind, pattern] of PATTERNS) {
    pattern.lastIndex = at;
    const [text] = pattern.exec(source) ?? [];
    if (text !== undefined) return { kind, text, parts: [] };
  }
  throw new Error(`line ${line}: what is ${source.slice(at, at + 10)}?`);
}

function readString(source: string, start: number): Read {
  const [whole, lines] = /^'''\n?([\s\S]*?)'''/.exec(source.slice(start)) ?? [];
  if (whole !== undefined) return { kind: "text", text: whole, parts: [lines ?? ""] };
  const parts: (string | readonly Token[])[] = [];
  let [at, said] = [start + 1, ""];
  while (source[at] !== "'") {
    if (at >= source.length) throw new Error("a string has no end");
    if (source.startsWith("${", at)) {
      const end = endOfFilling(source, at + 2);
      parts.push(said, tokensOf(source.slice(at + 2, end)));
      [at, said] = [end + 1, ""];
    } else if (source[at] === "\\") {
      const next = source[at + 1] ?? "";
      said += ESCAPES[next] ?? next;
      at += 2;
    } else said += source[at++];
  }
  return { kind: "text", text: source.slice(start, at + 1), parts: [...parts, said] };
}

/** Where its `}` is, behind strings and braces of its own. */
function endOfFilling(source: string, start: number): number {
  let [at, depth] = [start, 0];
  while (depth > 0 || source[at] !== "}") {
    const sign = source[at];
    if (sign === undefined) throw new Error("a string has no end");
    if (sign === "{") depth += 1;
    if (sign === "}") depth -= 1;
    at += sign === "'" ? readString(source, at).text.length : 1;
  }
  return at;
}
