/**
 * Filters of store searches, as LangGraph's `BaseStore` defines them: for each field of the value what it must equal, or
 * operators. @see https://langchain-ai.github.io/langgraphjs/reference/interfaces/checkpoint.SearchOperation.html
 */

import { AppError } from "../errors.ts";
import { isJsonObject, type JsonObject } from "./model.ts";

/** What must be true of one field of an item's value. */
export type FilterCondition =
  | { readonly field: string; readonly test: "equals" | "differs" | "contains"; readonly value: unknown }
  | { readonly field: string; readonly test: "is_in" | "is_not_in"; readonly values: readonly unknown[] }
  /** Numbers compare with numbers (also as text), other text with text by its code points; all else does not match. */
  | { readonly field: string; readonly test: Comparison; readonly value: number | string };

export type Comparison = "above" | "at_least" | "below" | "at_most";

const COMPARISONS: Readonly<Record<string, Comparison>> = {
  $gt: "above",
  $gte: "at_least",
  $lt: "below",
  $lte: "at_most",
};

/** @throws AppError `invalid_request` that names the field and what is wrong with it */
export function readFilter(filter: JsonObject): readonly FilterCondition[] {
  return Object.entries(filter).flatMap(([field, wanted]) => {
    if (wanted === undefined) throw invalid(field, "must be a JSON value");
    if (!isJsonObject(wanted)) return [{ field, test: "equals", value: wanted }];
    const operators = Object.keys(wanted).filter((name) => name.startsWith("$"));
    if (operators.length === 0) return [{ field, test: "contains", value: wanted }];
    return Object.entries(wanted).map(([operator, value]) => readOperator(field, operator, value));
  });
}

function readOperator(field: string, operator: string, value: unknown): FilterCondition {
  const path = `${field}.${operator}`;
  if (operator === "$eq") return { field, test: "equals", value };
  if (operator === "$ne") return { field, test: "differs", value };
  if (operator === "$in" || operator === "$nin") {
    if (!Array.isArray(value)) throw invalid(path, "must be a list");
    return { field, test: operator === "$in" ? "is_in" : "is_not_in", values: value };
  }
  const test = COMPARISONS[operator];
  if (test === undefined) throw invalid(path, "must be one of $eq, $ne, $gt, $gte, $lt, $lte, $in, $nin");
  if (typeof value === "string") return { field, test, value: asNumber(value) ?? value };
  if (typeof value !== "number") throw invalid(path, "must be a number or text");
  return { field, test, value };
}

function asNumber(text: string): number | undefined {
  const number = Number(text);
  return text.trim() === "" || !Number.isFinite(number) ? undefined : number;
}

function invalid(path: string, problem: string): AppError {
  return new AppError("invalid_request", `filter.${path}: ${problem}`);
}
