/** Work on several things, of which one that fails keeps no other from its turn. */

/** In their order. `tell` is told of each failure. @throws the first one, when all have had their turn */
export async function tryEach<T>(
  things: readonly T[],
  work: (thing: T) => Promise<void>,
  tell: (thing: T, error: unknown) => void,
): Promise<void> {
  const failures: unknown[] = [];
  for (const thing of things) {
    try {
      await work(thing);
    } catch (error) {
      tell(thing, error);
      failures.push(error);
    }
  }
  if (failures.length > 0) throw failures[0];
}
