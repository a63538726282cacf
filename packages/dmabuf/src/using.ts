/**
 * What TypeScript compiles `using` to. It would write it into each module anew, in a form of which bundlers warn:
 * `scripts/finish-build.mjs` lets them import it from here instead, and the symbols that Safari does not have. There is no
 * `await using` in the library.
 *
 * @module
 */

/** `Symbol.dispose` in every built module. Where there is none, esbuild's `using` and Babel's look for the same one. */
export const DISPOSE: typeof Symbol.dispose = Symbol.dispose ?? /* @__PURE__ */ Symbol.for("Symbol.dispose");

/** `Symbol.asyncDispose` in every built module. */
export const ASYNC_DISPOSE: typeof Symbol.asyncDispose =
  Symbol.asyncDispose ?? /* @__PURE__ */ Symbol.for("Symbol.asyncDispose");

interface Scope {
  readonly stack: (() => void)[];
  error: unknown;
  hasError: boolean;
}

export function __addDisposableResource<T extends Disposable | null | undefined>(scope: Scope, resource: T): T {
  if (resource === null || resource === undefined) return resource;
  const dispose = resource[DISPOSE];
  if (typeof dispose !== "function") throw new TypeError("Object not disposable.");
  scope.stack.push(dispose.bind(resource));
  return resource;
}

export function __disposeResources(scope: Scope): void {
  for (let dispose = scope.stack.pop(); dispose !== undefined; dispose = scope.stack.pop()) {
    try {
      dispose();
    } catch (error) {
      scope.error = scope.hasError ? suppressing(error, scope.error) : error;
      scope.hasError = true;
    }
  }
  if (scope.hasError) throw scope.error;
}

/** Node.js before version 24 has no `SuppressedError`. */
function suppressing(error: unknown, suppressed: unknown): Error {
  const message = "An error was suppressed during disposal.";
  return Object.assign(new Error(message), { name: "SuppressedError", error, suppressed });
}
