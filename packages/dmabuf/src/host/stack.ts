/** Those of the library's own functions are the first ones. */
const STACK_FRAMES = 32;

/** Where this thread is, as the runtime tells it. */
export function stackHere(): string {
  const limited = Error as { stackTraceLimit?: number };
  const usual = limited.stackTraceLimit;
  limited.stackTraceLimit = STACK_FRAMES;
  const { stack = "" } = new Error();
  limited.stackTraceLimit = usual!;
  return stack.replace(/^Error\n/, "");
}
