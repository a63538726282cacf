import { FUNCTION, type Kind } from "../arguments.js";

/** What an argument must be that is known by a method: an object of the browser's, or a domain of any entry. */
export function having(method: string, what: string): Kind {
  const isKind = (value: unknown): boolean =>
    FUNCTION.isKind((value as Record<string, unknown> | null | undefined)?.[method]);
  return { wanted: `${what}, which has ${method}()`, isKind };
}
