/**
 * Takes several things that must be given back if one of the next cannot be had.
 *
 * @param take Is given `orUndo`: what it is told is called, the last one first, if `take` throws, or if the promise that
 *   it returns rejects. An error of these does not hide the one that `take` has thrown.
 * @returns What `take` returns; all that it took is the caller's then.
 */
export function allOrNothing<T>(take: (orUndo: (undo: () => void) => void) => T): T {
  const undos: (() => void)[] = [];
  try {
    const taken = take((undo) => void undos.push(undo));
    return taken instanceof Promise ? (taken.catch((error: unknown) => undoAll(undos, error)) as T) : taken;
  } catch (error) {
    return undoAll(undos, error);
  }
}

function undoAll(undos: (() => void)[], error: unknown): never {
  for (const undo of undos.reverse()) {
    try {
      undo();
    } catch {
      // The first error says more.
    }
  }
  throw error;
}
