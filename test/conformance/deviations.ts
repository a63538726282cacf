/**
 * Where the library is different from the kernel on purpose: the case and the reason. A test of that case shows what it
 * does instead.
 *
 * Not listed is what merely says the same in JavaScript's way: an error's `code` for a negative number, "signaled" and
 * "timed-out" for the time that is left, a rejection with the abort's reason for an interrupted call, a `RangeError`
 * where the kernel stops the machine.
 */
export const DEVIATIONS: Readonly<Record<string, string>> = {
  "FEN-31":
    "Two objects that stand for one fence in shared memory are the same fence: each agent has an object of its own.",
  "FEN-38":
    "The kernel stores even an error that it reports as wrong or late. Here it is dropped, so that an error is always an errno, and never changes once others may have read it.",
};
