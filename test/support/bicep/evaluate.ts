/**
 * What a deployment of Bicep files would ask Azure for, with these parameters.
 *
 * Of Bicep's functions, and of what Azure says of a resource that is there, it knows what infra/azure uses (functions.ts);
 * what it does not know, it refuses. It does not hold parameters against their decorators, and orders nothing.
 */

import { dirname, join } from "node:path";
import {
  asText,
  callOf,
  isFields,
  isList,
  memberOf,
  toldOf,
  truth,
  type Fields,
  type Result,
} from "./functions.ts";
import { parse, type Declaration, type Expression } from "./parse.ts";

export interface Made {
  /** Without its version. */
  readonly type: string;
  readonly id: string;
  readonly name: string;
  /** As they are written; `scope` is an id. */
  readonly values: Fields;
}

export interface Deployed {
  readonly resources: readonly Made[];
  readonly outputs: Fields;
}

/** Texts of files by their paths. */
export type Sources = ReadonlyMap<string, string>;

/** @throws Error that says what it does not know, or what Azure would refuse: to ask a module that is not made */
export function evaluate(sources: Sources, file: string, given: Fields): Deployed {
  try {
    return new Evaluation(sources, file, given).run();
  } catch (error) {
    throw new Error(`${file}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
}

type Names = ReadonlyMap<string, () => Result>;

class Evaluation {
  readonly #sources: Sources;
  readonly #file: string;
  readonly #given: Fields;
  readonly #made: Made[] = [];

  constructor(sources: Sources, file: string, given: Fields) {
    [this.#sources, this.#file, this.#given] = [sources, file, given];
  }

  run(): Deployed {
    const source = this.#sources.get(this.#file);
    if (source === undefined) throw new Error("is not there");
    const declarations = parse(source);
    const parameters = new Set(
      declarations.filter(({ keyword }) => keyword === "param").map(({ name }) => name),
    );
    const unknown = Object.keys(this.#given).filter((name) => !parameters.has(name));
    if (unknown.length > 0) throw new Error(`there is no parameter ${unknown.join(", ")}`);
    const [outputs, others] = [true, false].map((is) =>
      declarations.filter(({ keyword }) => (keyword === "output") === is),
    );
    const names: Names = new Map(
      others?.map((one) => [one.name, once(one.name, () => this.#declared(one, names))]),
    );
    for (const find of names.values()) find();
    return {
      resources: this.#made,
      outputs: Object.fromEntries(outputs?.map((one) => [one.name, this.#declared(one, names)]) ?? []),
    };
  }

  #declared({ keyword, name, type, value }: Declaration, names: Names): Result {
    const given = keyword === "param" ? this.#given[name] : undefined;
    if (given !== undefined) return given;
    if (value === undefined) throw new Error(`${name} is not given`);
    if (value.kind === "if" && !truth(this.#value(value.condition, names))) return null;
    const body = value.kind === "if" ? value.of : value;
    if (keyword === "module") return this.#module(type, body, names);
    return keyword === "resource" ? this.#resource(type, body, names) : this.#value(body, names);
  }

  #module(file: string, body: Expression, names: Names): Result {
    const { params = {} } = this.#fields(body, names);
    if (!isFields(params)) throw new Error(`${file} is given no parameters`);
    const { resources, outputs } = evaluate(this.#sources, join(dirname(this.#file), file), params);
    this.#made.push(...resources);
    return { outputs };
  }

  /** What can be asked of it. */
  #resource(type: string, body: Expression, names: Names): Result {
    if (body.kind === "each")
      return this.#each(body, names, (item, inner) => this.#resource(type, item, inner));
    const { parent, scope, dependsOn: _, ...values } = this.#fields(body, names);
    const [kind = ""] = type.split("@");
    const name = asText(values["name"]);
    const of = parent === undefined ? `/${kind}` : `${idOf(parent)}/${kind.split("/").at(-1)}`;
    const id = `${of}/${name}`;
    const located = scope === undefined ? values : { ...values, scope: idOf(scope) };
    this.#made.push({ type: kind, id, name, values: located });
    const told = { id, name, properties: toldOf(kind, name) };
    for (const one of body.kind === "object" ? body.within : []) this.#within(one, type, told, names);
    return told;
  }

  /** Its type goes on from that of the one around it. */
  #within({ name, type, value }: Declaration, around: string, parent: Fields, names: Names): void {
    if (value?.kind !== "object") throw new Error(`${name}: only plain resources are known within another`);
    const [kind = "", version = ""] = around.split("@");
    const entries = [
      ...value.entries,
      [
        { kind: "literal", value: "parent" },
        { kind: "name", name: "(around)" },
      ] as const,
    ];
    const inner = new Map([...names, ["(around)", () => parent]]);
    this.#resource(`${kind}/${type}@${version}`, { ...value, entries }, inner);
  }

  #fields(body: Expression, names: Names): Fields {
    const value = this.#value(body, names);
    if (!isFields(value)) throw new Error("what should be an object is none");
    return value;
  }

  #each(
    { names: [first = "", second = ""], of, item }: Extract<Expression, { readonly kind: "each" }>,
    names: Names,
    work: (item: Expression, names: Names) => Result,
  ): readonly Result[] {
    const list = this.#value(of, names);
    if (!isList(list)) throw new Error("a loop over what is no list");
    return list.map((one, at) =>
      work(item, new Map<string, () => Result>([...names, [first, () => one], [second, () => at]])),
    );
  }

  #value(expression: Expression, names: Names): Result {
    const value = (one: Expression): Result => this.#value(one, names);
    switch (expression.kind) {
      case "literal":
        return expression.value;
      case "text":
        return expression.parts.map((part) => asText(value(part))).join("");
      case "name":
        return lookUp(expression.name, names);
      case "member":
        return memberOf(value(expression.of), value(expression.at));
      case "call":
        return callOf(expression.name, expression.given.map(value));
      case "not":
        return !truth(value(expression.of));
      case "binary":
        return binary(expression.sign, expression.sides, value);
      case "either":
        return value(truth(value(expression.condition)) ? expression.yes : expression.no);
      case "array":
        return expression.items.map(value);
      case "object":
        return Object.fromEntries(expression.entries.map(([name, of]) => [asText(value(name)), value(of)]));
      case "each":
        return this.#each(expression, names, (item, inner) => this.#value(item, inner));
      case "if":
        throw new Error("a condition where a value should be");
    }
  }
}

function binary(
  sign: string,
  [left, right]: readonly [Expression, Expression],
  value: (one: Expression) => Result,
): Result {
  switch (sign) {
    case "&&":
      return truth(value(left)) && truth(value(right));
    case "||":
      return truth(value(left)) || truth(value(right));
    case "==":
      return value(left) === value(right);
    case "!=":
      return value(left) !== value(right);
    default:
      throw new Error(`the operator ${sign} is not known here`);
  }
}

function lookUp(name: string, names: Names): Result {
  const find = names.get(name);
  if (find === undefined) throw new Error(`${name} is nobody's name`);
  return find();
}

function idOf(resource: Result): string {
  return asText(memberOf(resource, "id"));
}

/** What is asked for while it is being found out needs itself. */
function once(name: string, find: () => Result): () => Result {
  let state: "new" | "busy" | { readonly found: Result } = "new";
  return () => {
    if (state === "busy") throw new Error(`${name} needs itself`);
    if (state === "new") {
      state = "busy";
      state = { found: find() };
    }
    return state.found;
  };
}
