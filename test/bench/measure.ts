/** Medians of turns: on a noisy machine, contenders take turns, so that a bad moment hits each of them. */

/** What a contender took: usually, and in calm moments, of which a busy machine has few. */
export interface Taken {
  readonly median: number;
  /** The tenth percentile. */
  readonly calm: number;
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}

export interface Turns {
  readonly rounds: number;
  /** Rounds that do not count. */
  readonly warmUp?: number;
  readonly progress: (text: string) => void;
}

/** Each contender once a round, first forwards, then backwards. */
export async function interleave<Name extends string>(
  contenders: Readonly<Record<Name, () => Promise<number>>>,
  { rounds, warmUp = 0, progress }: Turns,
): Promise<(name: Name) => Taken> {
  const entries = Object.entries<() => Promise<number>>(contenders);
  const taken = new Map<string, number[]>(entries.map(([name]) => [name, []]));
  for (let round = -warmUp; round < rounds; round += 1) {
    for (const [name, run] of round % 2 === 0 ? entries : entries.toReversed()) {
      const value = await run();
      if (round >= 0) taken.get(name)?.push(value);
    }
    if (round > 0 && round % 20 === 0) progress(`${round} of ${rounds} rounds`);
  }
  return (name) => {
    const values = (taken.get(name) ?? []).toSorted((a, b) => a - b);
    return { median: median(values), calm: values[Math.floor(values.length / 10)] ?? Number.NaN };
  };
}
