import { integer, isText, orElse, U64, withCode, type Kind } from "../arguments.js";

/** What arguments of the kernel's must be, beside those of {@link ../arguments.js}. */

/** The number of a descriptor. */
export const FD = orElse("EBADF", { ...integer(0, 0x7fff_ffff), wanted: "the number of a descriptor" });

/** What fits into 32 bits of a structure. */
export const U32 = integer(0, 0xffff_ffff);

/** The same, where the kernel would say `EINVAL`. */
export const COUNT = withCode("EINVAL", integer(1, 0xffff_ffff));

/** A size or a place in bytes. */
export const BYTES = withCode("EINVAL", integer(1));
export const OFFSET = withCode("EINVAL", integer(0));

/** Nanoseconds need to be no integer: they are mostly computed. */
export const DEADLINE: Kind = { ...U64, isTaken: (value: number | bigint) => value >= 0 && value < 2n ** 64n };

export const PATH: Kind = {
  wanted: "a path",
  isKind: (value) => typeof value === "string",
  isTaken: isPath,
};

/** Four characters, the last of which may be left out if they are spaces. */
export const PIXEL_FORMAT: Kind = {
  wanted: 'a pixel format of four characters, as "XR24"',
  isKind: (value) => typeof value === "string",
  isTaken: (text: string) => /^[\x20-\x7e]{1,4}$/.test(text),
};

export function isPath(path: string): boolean {
  return path !== "" && path.length < 4096 && isText(path);
}
