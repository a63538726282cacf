/** What a page has measured, for the program that has opened it. */

declare global {
  /** What the page has found; a text for an error. */
  var measured: unknown;
}

/** Runs what a page measures, with what its address says. */
export function measure(run: (query: URLSearchParams) => Promise<unknown>): void {
  run(new URLSearchParams(location.search)).then(
    (found) => (globalThis.measured = found),
    (error: unknown) => (globalThis.measured = String((error as Error)?.stack ?? error)),
  );
}

/** A number of the page's address. */
export function numberIn(query: URLSearchParams, name: string): number {
  return Number(query.get(name));
}
