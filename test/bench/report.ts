/** What the bench found: rows for people and for programs. */

import type { Taken } from "./measure.ts";

export interface Row {
  readonly what: string;
  readonly unit: Unit;
  readonly ours: number;
  readonly against: { readonly who: string; readonly value: number };
  /** What the target is about: a ratio, a difference, or our figure alone. */
  readonly measured: { readonly value: number; readonly text: string };
  /** The same for calm moments; absent for counts. */
  readonly calm?: { readonly value: number; readonly text: string };
  /** Absent where a row only informs. */
  readonly target?: { readonly text: string; readonly isMet: boolean };
}

type Unit = "ms" | "round trips" | "runs/s";

interface Compared {
  readonly what: string;
  readonly unit: Unit;
  readonly ours: Taken;
  readonly who: string;
  readonly theirs: Taken;
}

/** Ours over theirs. */
export function ratio(compared: Compared, bound: { readonly below?: number; readonly above?: number }): Row {
  const row = compare(compared, (ours, theirs) => {
    const value = ours / theirs;
    return { value, text: `${value.toPrecision(3)} ×` };
  });
  const { value } = row.measured;
  const [word, limit] = bound.below === undefined ? ["over", bound.above ?? 0] : ["under", bound.below];
  const isMet = word === "over" ? value > limit : value < limit;
  return { ...row, target: { text: `${word} ${Number(limit.toPrecision(3))} ×`, isMet } };
}

/** Ours minus theirs. */
export function difference(compared: Compared, below?: number): Row {
  const row = compare(compared, (ours, theirs) => {
    const value = ours - theirs;
    return { value, text: `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(1)} ms` };
  });
  if (below === undefined) return row;
  return { ...row, target: { text: `under +${below} ms`, isMet: row.measured.value < below } };
}

function compare(
  { what, unit, ours, who, theirs }: Compared,
  relate: (ours: number, theirs: number) => Row["measured"],
): Row {
  return {
    what,
    unit,
    ours: ours.median,
    against: { who, value: theirs.median },
    measured: relate(ours.median, theirs.median),
    calm: relate(ours.calm, theirs.calm),
  };
}

/** Our figure alone. */
export function atMost(what: string, ours: number, against: Row["against"], most: number): Row {
  return {
    what,
    unit: "round trips",
    ours,
    against,
    measured: { value: ours, text: String(ours) },
    target: { text: `${most} or fewer`, isMet: ours <= most },
  };
}

const HEAD = ["", "ours", "against", "measured", "at p10", "target", "verdict"] as const;

export function table(rows: readonly Row[]): string {
  const lines = [HEAD, ...rows.map(cells)];
  const widths = HEAD.map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)));
  const text = lines.map((line) =>
    line
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join("  ")
      .trimEnd(),
  );
  return text.toSpliced(1, 0, widths.map((width) => "─".repeat(width)).join("──")).join("\n");
}

function cells({ what, unit, ours, against, measured, calm, target }: Row): readonly string[] {
  const verdict = target?.isMet === true ? "met" : "MISSED";
  return [
    what,
    show(ours, unit),
    `${show(against.value, unit)} (${against.who})`,
    measured.text,
    calm?.text ?? "",
    target?.text ?? "",
    target === undefined ? "" : verdict,
  ];
}

function show(value: number, unit: Unit): string {
  if (unit === "round trips") return String(value);
  return `${value < 100 ? value.toFixed(1) : value.toFixed(0)} ${unit}`;
}
