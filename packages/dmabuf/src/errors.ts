import type { Explanation } from "./explanation.js";

/** The errno names this library uses, with Linux's numbers. */
export const ERRNO = {
  EPERM: 1,
  ENOENT: 2,
  ESRCH: 3,
  EINTR: 4,
  EIO: 5,
  ENXIO: 6,
  E2BIG: 7,
  EBADF: 9,
  ECHILD: 10,
  EAGAIN: 11,
  ENOMEM: 12,
  EACCES: 13,
  EFAULT: 14,
  EBUSY: 16,
  EEXIST: 17,
  EXDEV: 18,
  ENODEV: 19,
  ENOTDIR: 20,
  EISDIR: 21,
  EINVAL: 22,
  ENFILE: 23,
  EMFILE: 24,
  ENOTTY: 25,
  ETXTBSY: 26,
  EFBIG: 27,
  ENOSPC: 28,
  ESPIPE: 29,
  EROFS: 30,
  EPIPE: 32,
  EDOM: 33,
  ERANGE: 34,
  EDEADLK: 35,
  ENAMETOOLONG: 36,
  ENOLCK: 37,
  ENOSYS: 38,
  ELOOP: 40,
  ENODATA: 61,
  ETIME: 62,
  EPROTO: 71,
  EOVERFLOW: 75,
  EBADFD: 77,
  EILSEQ: 84,
  ENOTSOCK: 88,
  EMSGSIZE: 90,
  EPROTOTYPE: 91,
  ENOPROTOOPT: 92,
  EPROTONOSUPPORT: 93,
  EOPNOTSUPP: 95,
  EAFNOSUPPORT: 97,
  EADDRINUSE: 98,
  EADDRNOTAVAIL: 99,
  ECONNABORTED: 103,
  ECONNRESET: 104,
  ENOBUFS: 105,
  EISCONN: 106,
  ENOTCONN: 107,
  ETOOMANYREFS: 109,
  ETIMEDOUT: 110,
  ECONNREFUSED: 111,
  EALREADY: 114,
  EINPROGRESS: 115,
  ESTALE: 116,
  EREMOTEIO: 121,
  ECANCELED: 125,
} as const;

/** The name of an errno of Linux: a key of {@link ERRNO}. */
export type ErrorCode = keyof typeof ERRNO;

const NAMES = new Map<number, ErrorCode>(Object.entries(ERRNO).map(([name, errno]) => [errno, name as ErrorCode]));

/** A {@link DmaBufError} as it crosses threads: `structuredClone` of the error itself would lose its code. */
export interface PlainError {
  /** The errno name. */
  readonly code: ErrorCode;
  /** The message, without the code before it. */
  readonly message: string;
  /** The system call that has failed, where it was one. */
  readonly syscall?: string;
}

/**
 * What fails at run time fails with this error. Match on `code`, never on the text.
 *
 * `errno` is Linux's positive number of the code; `syscall` is there when a system call failed.
 *
 * @example
 * ```ts
 * import { DmaBufError, Domain, rawFormat } from "dmabuf";
 *
 * using domain = Domain.create();
 * using stream = domain.createStream({ format: rawFormat(4) });
 * using consumer = stream.frames();
 * try {
 *   using frame = await consumer.next({ timeout: 10 });
 *   console.log(frame?.sequence);
 * } catch (error) {
 *   if (!(error instanceof DmaBufError) || error.code !== "ETIMEDOUT") throw error;
 *   console.log("no frame yet");
 * }
 * ```
 */
export class DmaBufError extends Error {
  /** Always `"DmaBufError"`, also where two copies of the library are loaded. */
  override readonly name = "DmaBufError";
  /** The errno name, as "ETIMEDOUT". */
  readonly code: ErrorCode;
  /** The errno number as of Linux on x86 and ARM, greater than 0. */
  readonly errno: number;
  /** The system call that has failed, where it was one. */
  readonly syscall?: string;
  /** Of a wait whose time has passed: who was in the way, and why; its sentence is in the message. */
  declare readonly explanation?: Explanation;

  /**
   * Makes an error, as an exporter of a program's own throws it.
   *
   * @param message Without the code, which goes before it.
   * @param options `syscall`, and `cause` as of every error.
   * @throws {TypeError} Naming the argument that is wrong.
   */
  constructor(code: ErrorCode, message: string, options: { syscall?: string; cause?: unknown } = {}) {
    checkError(code, message, options);
    super(`${code}: ${message}`, "cause" in options ? { cause: options.cause } : undefined);
    this.code = code;
    this.errno = ERRNO[code];
    if (options.syscall !== undefined) this.syscall = options.syscall;
  }

  /** The error as plain data, for a message to another agent. */
  toPlain(): PlainError {
    const message = this.message.slice(this.code.length + 2);
    return { code: this.code, message, ...(this.syscall !== undefined && { syscall: this.syscall }) };
  }

  /** Rebuilds an error that crossed threads. @throws {TypeError} If it is not what {@link toPlain} gives. */
  static from(plain: PlainError): DmaBufError {
    if (typeof plain !== "object" || plain === null) {
      throw new TypeError(`DmaBufError.from(): plain must be what toPlain() gives, not ${shown(plain)}`);
    }
    return new DmaBufError(plain.code, plain.message, plain.syscall === undefined ? {} : { syscall: plain.syscall });
  }
}

/** Says in the error of a wait who was in the way. */
export function addExplanation(error: DmaBufError, explanation: Explanation): void {
  // The stack first: engines that make it when it is read would take the new message.
  const { stack, message } = error;
  error.message = `${message}; ${explanation.sentence}`;
  if (stack !== undefined) error.stack = stack.replace(message, () => error.message);
  Object.defineProperty(error, "explanation", { value: explanation });
}

/** The name of an errno, of either sign. A number this library has no name for is reported as `EIO`. */
export function errorCode(errno: number): ErrorCode {
  return NAMES.get(Math.abs(errno)) ?? "EIO";
}

/** What errors of the web mean in errnos, by their names; all others are `EIO`. */
const WEB_ERRORS: Readonly<Record<string, ErrorCode>> = {
  AbortError: "ECANCELED",
  DataError: "EINVAL",
  InvalidStateError: "EBADF",
  NotAllowedError: "EACCES",
  NotFoundError: "ENOENT",
  NotSupportedError: "EOPNOTSUPP",
  QuotaExceededError: "ENOSPC",
  SecurityError: "EACCES",
  TimeoutError: "ETIMEDOUT",
};

/** The errno name of whatever was thrown: its `code` if that is one, then what its name means, and otherwise `EIO`. */
export function codeOf(reason: unknown): ErrorCode {
  return errnoOf(reason) ?? valueIn(WEB_ERRORS, fieldOf(reason, "name")) ?? "EIO";
}

/** The `code` of whatever was thrown, if it is an errno name. A getter that throws has none. */
export function errnoOf(reason: unknown): ErrorCode | undefined {
  if (reason instanceof DmaBufError) return reason.code;
  const code = fieldOf(reason, "code");
  return valueIn(ERRNO, code) && (code as ErrorCode);
}

function fieldOf(reason: unknown, name: string): unknown {
  try {
    return (reason as Readonly<Record<string, unknown>> | null | undefined)?.[name];
  } catch {
    return undefined;
  }
}

function valueIn<T>(table: Readonly<Record<string, T>>, name: unknown): T | undefined {
  return typeof name === "string" && Object.hasOwn(table, name) ? table[name] : undefined;
}

/** Whatever was thrown as text, for warnings: what cannot be shown is named so. */
export function textOf(reason: unknown): string {
  try {
    return String(reason);
  } catch {
    return "something that has no text";
  }
}

/** The checks of arguments use these errors, and so are not here. */
function checkError(code: unknown, message: unknown, options: { readonly syscall?: unknown } | null): void {
  const call = "new DmaBufError()";
  if (typeof code !== "string" || !Object.hasOwn(ERRNO, code)) {
    throw new TypeError(`${call}: code must be the name of an errno, such as "EIO", not ${shown(code)}`);
  }
  if (typeof message !== "string") throw new TypeError(`${call}: message must be a string, not ${shown(message)}`);
  if (typeof options !== "object" || options === null || Array.isArray(options)) {
    throw new TypeError(`${call}: options must be an object, not ${shown(options)}`);
  }
  const { syscall } = options;
  if (syscall === undefined || typeof syscall === "string") return;
  throw new TypeError(`${call}: option "syscall" must be a string, not ${shown(syscall)}`);
}

/** How much of a text is shown. */
const SHOWN = 40;

/** Whatever came, in a few words. Never throws. */
export function shown(value: unknown): string {
  switch (typeof value) {
    case "string":
      return JSON.stringify(value.length > SHOWN ? `${value.slice(0, SHOWN)}…` : value);
    case "bigint":
      return `${value}n`;
    case "function":
      return "a function";
    case "object":
      return value === null ? "null" : shownObject(value);
    default:
      return String(value);
  }
}

function shownObject(object: object): string {
  try {
    if (Array.isArray(object)) return "an array";
    const name: unknown = (Object.getPrototypeOf(object) as object | null)?.constructor?.name;
    return typeof name === "string" && name !== "" && name !== "Object" ? withArticle(name) : "an object";
  } catch {
    // A proxy may throw whatever is asked of it.
    return "an object";
  }
}

/** "a Fence", "an AcquireContext". */
export function withArticle(noun: string): string {
  return `${/^[AEIOU]/.test(noun) ? "an" : "a"} ${noun}`;
}
