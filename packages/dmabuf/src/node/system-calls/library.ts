import { constants } from "node:buffer";
// By another name webpack would take its call apart, and warn that it does not know what is loaded.
import * as modules from "node:module";
import { arch, endianness } from "node:os";
import type koffiModule from "koffi";
import type { LibraryHandle } from "koffi";
import { DmaBufError, ERRNO, errorCode } from "../../errors.js";
import { checksOf, type NativeArgument } from "./native-arguments.js";

/**
 * The door to the C library: koffi, of which only the package of this platform is installed. No other module loads it.
 *
 * library.1. Nothing is loaded before the first call: importing this module works on every system.
 * library.2. Where calls cannot be made, each one throws `ENOSYS` with the reason.
 * library.3. A failed call becomes a `DmaBufError` with `code`, `errno` and `syscall`.
 * library.4. The first call binds all functions that are declared until then: koffi ends the whole process if its
 *      worker is terminated while a function is being bound, and so there is one moment for it, at the start.
 * library.5. What does not fit its parameter is a RangeError, and no call is made: koffi would make another number of
 *      it, and ends the process where it cannot fail.
 */

type NativeFunction = (...values: readonly NativeArgument[]) => number;

/** The system calls that the C libraries have no function for, or only lately: their numbers. */
const NUMBERS = {
  x64: { futex: 202, gettid: 186, tgkill: 234, pidfd_open: 434 },
  arm64: { futex: 98, gettid: 178, tgkill: 131, pidfd_open: 434 },
  riscv64: { futex: 98, gettid: 178, tgkill: 131, pidfd_open: 434 },
  loong64: { futex: 98, gettid: 178, tgkill: 131, pidfd_open: 434 },
} as const;

export type NumberedCall = keyof (typeof NUMBERS)["x64"];

/**
 * A function of the C library by its C declaration. Pointers are `void *`, or `uintptr_t` to get an address as a number;
 * the function returns at most 53 bits.
 */
export function nativeFunction(declaration: string): NativeFunction {
  declared.add(declaration);
  const check = checksOf(declaration);
  let bound: NativeFunction | undefined;
  return (...values) => {
    check(values);
    return (bound ??= boundFunction(declaration))(...values);
  };
}

/**
 * The function of the C library itself. Between the last JavaScript before the call and the first after it nothing can
 * terminate a worker, which `nativeFunction` with its own function around the call does not promise. The caller checks what
 * it passes (library.5).
 */
export function boundFunction(declaration: string): NativeFunction {
  const { bind, bound } = library();
  const found = bound.get(declaration);
  if (found !== undefined) return found;
  const made = bind(declaration);
  bound.set(declaration, made);
  return made;
}

/** A system call by its number; `parameters` is the C declaration of its parameters. */
export function numberedCall(name: NumberedCall, parameters = ""): NativeFunction {
  const list = parameters === "" ? "long number" : `long number, ${parameters}`;
  const call = nativeFunction(`long syscall(${list})`);
  return (...values) => call(library().numbers[name], ...values);
}

/** As {@link numberedCall}, bound at the first use and without checks (library.5), for a call that must be fast. */
export function boundCall(
  name: NumberedCall,
  parameters: string,
): () => { readonly call: NativeFunction; readonly number: number } {
  const declaration = `long syscall(long number, ${parameters})`;
  declared.add(declaration);
  let bound: { readonly call: NativeFunction; readonly number: number } | undefined;
  return () => (bound ??= { call: boundFunction(declaration), number: library().numbers[name] });
}

/** Why no system call can be made here, or undefined if they can. */
export function whyUnavailable(): string | undefined {
  try {
    library();
    return undefined;
  } catch (error) {
    return (error as Error).cause as string;
  }
}

/** The errno of the last call of this thread. */
export function lastErrno(): number {
  return library().koffi.errno();
}

/**
 * The error of a failed call.
 *
 * @param errno Stands first, so that it is read before anything else happens.
 * @param action What could not be done: `Cannot map 4096 bytes`.
 */
export function callError(errno: number, syscall: string, action: string): DmaBufError {
  const code = errorCode(errno);
  const unnamed = ERRNO[code] === errno ? "" : ` (errno ${errno})`;
  return new DmaBufError(code, `${action}: ${syscall}() failed${unnamed}`, { syscall });
}

/** Calls again while a signal interrupts. */
export function uninterrupted(call: () => number): number {
  for (;;) {
    const result = call();
    if (result >= 0 || lastErrno() !== ERRNO.EINTR) return result;
  }
}

/** The address of a buffer's bytes, valid while the buffer lives. */
export function addressOf(bytes: ArrayBufferView): bigint {
  return library().koffi.address(bytes);
}

/** Bytes: no view is longer in this runtime. */
export const LONGEST_VIEW = constants.MAX_LENGTH;

/**
 * Memory of this process as an `ArrayBuffer`. The runtime does not free it.
 *
 * @throws {DmaBufError} `EFBIG` for more than {@link LONGEST_VIEW} bytes: koffi would end the process.
 */
export function viewOf(address: bigint, length: number): ArrayBuffer {
  checkViewLength(length);
  return library().koffi.view(address, length);
}

/**
 * @param action What is not done otherwise.
 * @throws {DmaBufError} `EFBIG` if a view cannot have so many bytes.
 */
export function checkViewLength(length: number, action = "Cannot view memory"): void {
  if (Number.isSafeInteger(length) && length >= 0 && length <= LONGEST_VIEW) return;
  throw new DmaBufError("EFBIG", `${action}: ${length} bytes are more than the ${LONGEST_VIEW} that one view has here`);
}

interface Library {
  readonly koffi: typeof koffiModule;
  readonly bind: (declaration: string) => NativeFunction;
  readonly bound: Map<string, NativeFunction>;
  readonly numbers: Readonly<Record<NumberedCall, number>>;
}

const declared = new Set<string>();
let loaded: Library | undefined;
let failure: string | undefined;

function library(): Library {
  if (loaded !== undefined) return loaded;
  failure ??= tryToLoad();
  if (loaded !== undefined) return loaded;
  throw new DmaBufError("ENOSYS", `Cannot make system calls: ${failure}`, { cause: failure });
}

/** Returns why it failed. */
function tryToLoad(): string | undefined {
  if (process.platform !== "linux") return `this system is ${process.platform}, not linux`;
  const numbers = (NUMBERS as Partial<Record<string, Library["numbers"]>>)[arch()];
  if (numbers === undefined) return `the numbers of the system calls of ${arch()} are not known`;
  if (endianness() !== "LE") return "this processor is big-endian";
  const platformPackage = `@koromix/koffi-linux-${arch()}`;
  try {
    const koffi = modules.createRequire(import.meta.url)(platformPackage) as typeof koffiModule;
    const handle = koffi.load(null);
    const bind = (declaration: string): NativeFunction => bindFunction(handle, declaration);
    loaded = { koffi, bind, bound: bindAll(bind), numbers };
    return undefined;
  } catch (error) {
    // Of a package that is missing, the rest says only who has asked for it.
    const [reason] = (error as Error).message.split("\n");
    return `the optional package ${platformPackage} could not be loaded: ${reason}`;
  }
}

function bindFunction(handle: LibraryHandle, declaration: string): NativeFunction {
  try {
    return handle.func(declaration) as NativeFunction;
  } catch (cause) {
    throw new DmaBufError("ENOSYS", `Cannot find a function of the C library: ${declaration}`, { cause });
  }
}

/** library.4. What cannot be bound fails when it is called. */
function bindAll(bind: (declaration: string) => NativeFunction): Map<string, NativeFunction> {
  const bound = new Map<string, NativeFunction>();
  for (const declaration of declared) {
    try {
      bound.set(declaration, bind(declaration));
    } catch {
      // Said at the call.
    }
  }
  return bound;
}
