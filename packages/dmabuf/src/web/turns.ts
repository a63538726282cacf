/** Milliseconds that a loop may take before timers, messages and aborts have their turn. */
const LONGEST = 50;

/**
 * For a loop that waits for nothing but what may be there already, as the next frame where a disk is slower than the pictures:
 * such a wait does not return to the event loop, and no abort would come through.
 *
 * @returns To be called between two steps of the loop: returns to the event loop, if it is time to.
 */
export function turns(): () => Promise<void> {
  let last = performance.now();
  return async () => {
    if (performance.now() - last < LONGEST) return;
    await new Promise((resolve) => setTimeout(resolve, 0));
    last = performance.now();
  };
}
