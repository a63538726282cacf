import { DmaBufError, type ErrorCode } from "../errors.js";
import { ioctl } from "../node/system-calls/index.js";
import { Struct, type Fields, type Given, type Values } from "./struct.js";

/** Which way a request's structure goes, as the program sees it. */
export type Direction = "none" | "write" | "read" | "read-write";

const DIRECTIONS: Readonly<Record<Direction, number>> = { none: 0, write: 1, read: 2, "read-write": 3 };

/**
 * The number of an ioctl request.
 *
 * @param type One character: whose request it is.
 * @param number Which of them, 0 to 255.
 * @param size Bytes of its structure.
 * @see linux/include/uapi/asm-generic/ioctl.h
 */
export function ioctlNumber(direction: Direction, type: string, number: number, size: number): number {
  return ((DIRECTIONS[direction] << 30) | (size << 16) | (type.charCodeAt(0) << 8) | number) >>> 0;
}

/** A request with the structure that goes with it. */
export interface Request<F extends Fields> {
  /** For people, as `DMA_BUF_IOCTL_SYNC`. */
  readonly name: string;
  readonly number: number;
  readonly struct: Struct<F>;
}

export function request<F extends Fields>(
  name: string,
  direction: Direction,
  type: string,
  number: number,
  fields: F,
): Request<F> {
  const struct = new Struct(fields);
  return { name, number: ioctlNumber(direction, type, number, struct.size), struct };
}

/** What an error of a request means, where the errno alone does not tell. */
export type Reasons = Partial<Record<ErrorCode, string>>;

/**
 * Makes a request.
 *
 * @param action What is tried, for the error: `Cannot name the buffer`.
 * @returns The structure as the kernel left it, and what the call returned.
 * @throws {DmaBufError} With the kernel's errno as its `code`.
 */
export function call<F extends Fields>(
  fd: number,
  which: Request<F>,
  given: Given<F>,
  action: string,
  reasons: Reasons = {},
): Values<F> & { readonly result: number } {
  const bytes = which.struct.pack(given);
  const result = rawCall(fd, which, bytes, action, reasons);
  return { ...which.struct.unpack(bytes), result };
}

/** As {@link call}, for a request whose argument the caller has laid out. */
export function rawCall(
  fd: number,
  { name, number }: Pick<Request<Fields>, "name" | "number">,
  argument: Uint8Array | number,
  action: string,
  reasons: Reasons = {},
): number {
  try {
    return ioctl(fd, number, argument);
  } catch (error) {
    throw explained(error, name, action, reasons);
  }
}

/** The error of a system call, with what was tried and what the errno means there. */
function explained(error: unknown, request: string, action: string, reasons: Reasons): unknown {
  if (!(error instanceof DmaBufError)) return error;
  const reason = reasons[error.code] ?? COMMON[error.code];
  const message = `${action}: ${request} failed${reason === undefined ? "" : `: ${reason}`}`;
  return new DmaBufError(error.code, message, {
    ...(error.syscall !== undefined && { syscall: error.syscall }),
    cause: error,
  });
}

const COMMON: Reasons = {
  EBADF: "the descriptor is closed",
  ENODEV: "the device is gone",
  ENOTTY: "the descriptor is of another kind, or the kernel is too old for the request",
  EMFILE: "this process has as many descriptors as it may",
  ENOMEM: "there is not enough memory",
  EFAULT: "the kernel cannot read or write the argument",
};
