/** Asks once, with what is given first, and keeps the answer; asks again after a failure. */
export function once<Given extends readonly unknown[], T>(
  ask: (...given: Given) => Promise<T>,
): (...given: Given) => Promise<T> {
  let answer: Promise<T> | undefined;
  return (...given) => {
    answer ??= ask(...given).catch((error: unknown) => {
      answer = undefined;
      throw error;
    });
    return answer;
  };
}
