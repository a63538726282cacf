import { check, instance, TEXT } from "../arguments.js";
import { DmaBufError } from "../errors.js";
import type { LedgerEntry } from "../node/resources/resource-ledger.js";
import { duplicateDescriptor, POLL, poll } from "../node/system-calls/index.js";
import { threadLedger } from "../node/resources/thread-ledger.js";
import { giveBack } from "./give-back.js";
import { call, type Reasons, type Request } from "./ioctl.js";
import { FD } from "./kinds.js";
import type { Fields, Given, Values } from "./struct.js";

let makeDescriptor: (fd: number, what: string) => Descriptor;

/** Makes a request of a descriptor. @throws {DmaBufError} With the kernel's errno. */
export let requestOf: <F extends Fields>(
  descriptor: Descriptor,
  which: Request<F>,
  given?: Given<F>,
  action?: string,
  reasons?: Reasons,
) => Values<F> & { readonly result: number };

/**
 * A file descriptor of the kernel, and what it is of. It is owned: closed by `close()` or `using`, and by no other. One that is
 * forgotten stays open as long as its thread.
 *
 * @example
 * ```ts device
 * import { openSync } from "node:fs";
 * import { descriptorFrom } from "dmabuf/linux";
 *
 * using descriptor = descriptorFrom(openSync("/dev/null", "r"), "the null device");
 * console.log(descriptor.fd, descriptor.isClosed);
 * ```
 */
export class Descriptor implements Disposable {
  readonly #what: string;
  /** In this thread's ledger. */
  #entry: LedgerEntry | undefined;

  static {
    makeDescriptor = (fd, what) => new Descriptor(fd, what);
    requestOf = (descriptor, which, given = {}, action = `Cannot use ${descriptor.#what}`, reasons = {}) =>
      call(descriptor.fd, which, given, action, reasons);
  }

  /** Takes over a descriptor, which is closed if that fails. */
  protected constructor(fd: number, what: string) {
    [this.#entry] = threadLedger().enter([fd]);
    this.#what = what;
  }

  /** The number. @throws {DmaBufError} `EBADF` after the close, as all methods. */
  get fd(): number {
    if (this.#entry === undefined) throw new DmaBufError("EBADF", `Cannot use ${this.#what}: it is closed`);
    return threadLedger().descriptorOf(this.#entry);
  }

  /** Whether it was closed or released. */
  get isClosed(): boolean {
    return this.#entry === undefined;
  }

  /**
   * Gives the descriptor away: it stays open, and this object is closed.
   *
   * @returns The number, which the caller now owns.
   * @throws {DmaBufError} `EBADF` after the close.
   */
  release(): number {
    const { fd } = this;
    threadLedger().handOver(this.#entry!);
    this.#entry = undefined;
    return fd;
  }

  /**
   * Another number for the same thing, closed on exec. The caller owns it.
   *
   * @throws {DmaBufError} `EBADF` after the close; `EMFILE` without a free descriptor.
   */
  duplicateDescriptor(): number {
    return duplicateDescriptor(this.fd);
  }

  /** Closes the descriptor. Twice does nothing. */
  close(): void {
    const entry = this.#entry;
    this.#entry = undefined;
    if (entry !== undefined) giveBack(() => threadLedger().close(entry));
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/**
 * Takes over a descriptor, which is closed if that fails.
 *
 * @param what What it is of, for errors: "the dma-buf".
 * @throws {DmaBufError} `EMFILE` if this thread can own no more descriptors.
 *
 * @example
 * ```ts device
 * import { openSync } from "node:fs";
 * import { descriptorFrom } from "dmabuf/linux";
 *
 * using descriptor = descriptorFrom(openSync("/dev/null", "r"), "the null device");
 * ```
 */
export function descriptorFrom(fd: number, what: string): Descriptor {
  check("descriptorFrom()", "what", what, TEXT);
  check("descriptorFrom()", "fd", fd, FD);
  return makeDescriptor(fd, what);
}

/** For what a descriptor is ready now. */
export function isDescriptorReady(fd: number, direction: "input" | "output"): boolean {
  const events = direction === "input" ? POLL.READABLE : POLL.WRITABLE;
  return (poll([{ fd, events }])[0]! & events) !== 0;
}

/** What an argument `descriptor` must be. */
export const DESCRIPTOR = instance(Descriptor);
