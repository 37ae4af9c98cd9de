/** What the assistant can do besides talk. Both tools work offline, and throw on input that makes no sense. */
import { type StructuredToolInterface, tool } from "@langchain/core/tools";
import { Parser } from "expr-eval-fork";
import { z } from "zod";

// Arithmetic and nothing else: no variables, no functions of one's own, no access to properties.
const arithmetic = new Parser({ allowMemberAccess: false, operators: { assignment: false, fndef: false } });

const calculator = tool(
  ({ expression }) => {
    const value: unknown = arithmetic.evaluate(expression);
    if (typeof value !== "number" || !Number.isFinite(value))
      throw new Error(`${expression} has no finite value`);
    return String(Number(value.toPrecision(15))); // 0.1 + 0.2 is 0.3 to a person
  },
  {
    name: "calculator",
    description: "Evaluates an arithmetic expression",
    schema: z.object({ expression: z.string().max(200).describe("such as (17 + 4) * 2^3 or sqrt(2)") }),
  },
);

const clock = tool(
  ({ time_zone: timeZone }) =>
    new Intl.DateTimeFormat("en-GB", { dateStyle: "full", timeStyle: "long", timeZone }).format(new Date()),
  {
    name: "clock",
    description: "Tells the current date and time in a time zone",
    schema: z.object({ time_zone: z.string().describe("IANA name, such as Europe/Paris or UTC") }),
  },
);

export const tools: StructuredToolInterface[] = [calculator, clock];
