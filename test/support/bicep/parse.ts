/**
 * A Bicep file as expressions that can be evaluated. The tree-sitter grammar, which is good for finding what stands where,
 * does not know which operator binds closer: of `a ? b : c.d` it takes the `d` of the whole.
 */

import { tokensOf, type Token } from "./tokens.ts";

export type Expression =
  | { readonly kind: "literal"; readonly value: string | number | boolean | null }
  | { readonly kind: "text"; readonly parts: readonly Expression[] }
  | { readonly kind: "name"; readonly name: string }
  | { readonly kind: "member"; readonly of: Expression; readonly at: Expression }
  | { readonly kind: "call"; readonly name: string; readonly given: readonly Expression[] }
  | { readonly kind: "not"; readonly of: Expression }
  | { readonly kind: "binary"; readonly sign: string; readonly sides: readonly [Expression, Expression] }
  | {
      readonly kind: "either";
      readonly condition: Expression;
      readonly yes: Expression;
      readonly no: Expression;
    }
  | { readonly kind: "array"; readonly items: readonly Expression[] }
  | { readonly kind: "object"; readonly entries: readonly Entry[]; readonly within: readonly Declaration[] }
  | {
      readonly kind: "each";
      readonly names: readonly string[];
      readonly of: Expression;
      readonly item: Expression;
    }
  | { readonly kind: "if"; readonly condition: Expression; readonly of: Expression };

type Entry = readonly [name: Expression, value: Expression];

export interface Declaration {
  readonly keyword: "param" | "var" | "output" | "resource" | "module";
  readonly name: string;
  /** Of a resource, with its version; of a module, its file; else empty. */
  readonly type: string;
  /** None of a parameter without a default. */
  readonly value: Expression | undefined;
}

/** Loosest first. */
const BINARY = [["??"], ["||"], ["&&"], ["==", "!="], ["<", "<=", ">", ">="], ["+", "-"], ["*", "/", "%"]];

/** @throws Error with the line of what it does not know */
export function parse(source: string): readonly Declaration[] {
  const reader = new Reader(tokensOf(source));
  const declarations: Declaration[] = [];
  while (!reader.isAtEnd()) {
    if (reader.skips("@")) reader.expression();
    else if (reader.skips("targetScope")) {
      reader.takes("=");
      reader.expression();
    } else declarations.push(reader.declaration());
  }
  return declarations;
}

class Reader {
  readonly #tokens: readonly Token[];
  #at = 0;

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  isAtEnd(): boolean {
    return this.#at >= this.#tokens.length;
  }

  #isAt(...texts: readonly string[]): boolean {
    return texts.includes(this.#tokens[this.#at]?.text ?? "");
  }

  /** What follows goes on with what was before, if it stands on the same line. */
  #goesOnWith(sign: string): boolean {
    return this.#isAt(sign) && this.#tokens[this.#at]?.isFirst === false;
  }

  skips(text: string): boolean {
    const isThere = this.#isAt(text);
    if (isThere) this.#at += 1;
    return isThere;
  }

  takes(text: string): void {
    if (!this.skips(text)) throw this.#unexpected(text);
  }

  #unexpected(wanted: string): Error {
    const { line = "the last", text = "nothing" } = this.#tokens[this.#at] ?? {};
    return new Error(`line ${line}: ${text}, where ${wanted} was expected`);
  }

  #take(kind: Token["kind"]): Token {
    const token = this.#tokens[this.#at];
    if (token?.kind !== kind) throw this.#unexpected(`a ${kind}`);
    this.#at += 1;
    return token;
  }

  declaration(): Declaration {
    const { text: keyword } = this.#take("name");
    const { text: name } = this.#take("name");
    switch (keyword) {
      case "resource":
      case "module":
        return { keyword, name, type: plain(this.#take("text")), value: this.#assigned() };
      case "var":
        return { keyword, name, type: "", value: this.#assigned() };
      case "param":
      case "output":
        this.#take("name"); // its type
        return { keyword, name, type: "", value: this.#isAt("=") ? this.#assigned() : undefined };
      default:
        throw new Error(`${keyword} ${name}: what is a ${keyword}?`);
    }
  }

  #assigned(): Expression {
    this.takes("=");
    return this.#conditional();
  }

  #conditional(): Expression {
    if (!this.skips("if")) return this.expression();
    this.takes("(");
    const condition = this.expression();
    this.takes(")");
    return { kind: "if", condition, of: this.expression() };
  }

  expression(): Expression {
    const condition = this.#binary(0);
    if (!this.skips("?")) return condition;
    const yes = this.expression();
    this.takes(":");
    return { kind: "either", condition, yes, no: this.expression() };
  }

  #binary(level: number): Expression {
    const signs = BINARY[level];
    if (signs === undefined) return this.#unary();
    let left = this.#binary(level + 1);
    for (let sign = signs.find((one) => this.#isAt(one)); sign !== undefined;) {
      this.takes(sign);
      left = { kind: "binary", sign, sides: [left, this.#binary(level + 1)] };
      sign = signs.find((one) => this.#isAt(one));
    }
    return left;
  }

  #unary(): Expression {
    return this.skips("!") ? { kind: "not", of: this.#unary() } : this.#postfix(this.#primary());
  }

  #postfix(of: Expression): Expression {
    if (this.#goesOnWith("!")) {
      this.takes("!"); // "it is there": if it is not, that is found out
      return this.#postfix(of);
    }
    if (this.skips("."))
      return this.#postfix({ kind: "member", of, at: { kind: "literal", value: this.#take("name").text } });
    if (this.#goesOnWith("[")) {
      this.takes("[");
      const at = this.expression();
      this.takes("]");
      return this.#postfix({ kind: "member", of, at });
    }
    if (of.kind === "name" && this.#goesOnWith("("))
      return this.#postfix({ kind: "call", name: of.name, given: this.#list("(", ")") });
    return of;
  }

  #primary(): Expression {
    const token = this.#tokens[this.#at];
    if (this.#isAt("{")) return this.#object();
    if (this.#isAt("[")) return this.#array();
    if (this.skips("(")) {
      const inner = this.expression();
      this.takes(")");
      return inner;
    }
    if (token?.kind === "number") return { kind: "literal", value: Number(this.#take("number").text) };
    if (token?.kind === "text") return filled(this.#take("text"));
    const { text } = this.#take("name");
    if (text === "true" || text === "false") return { kind: "literal", value: text === "true" };
    return text === "null" ? { kind: "literal", value: null } : { kind: "name", name: text };
  }

  #list(open: string, close: string): readonly Expression[] {
    const items: Expression[] = [];
    this.takes(open);
    while (!this.skips(close)) {
      items.push(this.expression());
      this.skips(",");
    }
    return items;
  }

  #array(): Expression {
    if (this.#tokens[this.#at + 1]?.text !== "for") return { kind: "array", items: this.#list("[", "]") };
    this.takes("[");
    this.takes("for");
    const names = this.#isAt("(") ? this.#list("(", ")") : [this.#primary()];
    this.takes("in");
    const of = this.expression();
    this.takes(":");
    const item = this.#conditional();
    this.takes("]");
    return { kind: "each", names: names.map((one) => (one.kind === "name" ? one.name : "")), of, item };
  }

  #object(): Expression {
    const entries: Entry[] = [];
    const within: Declaration[] = [];
    this.takes("{");
    while (!this.skips("}")) {
      if (this.#isAt("resource") && this.#tokens[this.#at + 1]?.text !== ":") within.push(this.declaration());
      else {
        const name = this.#primary();
        this.takes(":");
        entries.push([
          name.kind === "name" ? { kind: "literal", value: name.name } : name,
          this.expression(),
        ]);
      }
      this.skips(",");
    }
    return { kind: "object", entries, within };
  }
}

function filled({ parts }: Token): Expression {
  const expressions = parts.map((part): Expression => {
    if (typeof part === "string") return { kind: "literal", value: part };
    return new Reader(part).expression();
  });
  const [only] = expressions;
  return only !== undefined && expressions.length === 1 ? only : { kind: "text", parts: expressions };
}

/** @throws Error where something is filled in */
function plain({ parts, text }: Token): string {
  const [only] = parts;
  if (typeof only !== "string" || parts.length > 1) throw new Error(`${text} must be plain`);
  return only;
}
