import { isDeepStrictEqual } from "node:util";

/** What the client has done wrong. */
export class Fault extends Error {}

/** @throws {Fault} If these are not the same; fields that are left out and `undefined` are. */
export function same(what: string, got: unknown, wanted: unknown): void {
  if (isDeepStrictEqual(plain(got), plain(wanted))) return;
  throw new Fault(`${what} is ${shown(got)}, and must be ${shown(wanted)}`);
}

/** @throws {Fault} If it is not so. */
export function holds(isSo: boolean, what: string): asserts isSo {
  if (!isSo) throw new Fault(what);
}

function plain(value: unknown): unknown {
  return value === undefined ? undefined : (JSON.parse(JSON.stringify(value)) as unknown);
}

function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? "nothing";
  return text.length > 400 ? `${text.slice(0, 400)}…` : text;
}
