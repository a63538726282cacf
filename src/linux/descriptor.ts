import { DmaBufError } from "../errors.js";
import { closeDescriptor, duplicateDescriptor, POLL, poll } from "../node/system-calls.js";
import { giveBack } from "./give-back.js";
import { call, type Reasons, type Request } from "./ioctl.js";
import type { Fields, Given, Values } from "./struct.js";

/**
 * A file descriptor and what it stands for. It is owned: closed by `close()` or `using`, and by nobody else. One that is
 * forgotten stays open as long as the process.
 */
export class Descriptor implements Disposable {
  readonly #what: string;
  #fd: number | undefined;

  /**
   * Takes over a descriptor.
   *
   * @param what What it stands for, for errors: `the dma-buf`.
   */
  constructor(fd: number, what: string) {
    if (!Number.isInteger(fd) || fd < 0) throw new DmaBufError("EBADF", `Cannot use ${what}: ${fd} is no descriptor`);
    this.#fd = fd;
    this.#what = what;
  }

  /** The number. @throws {DmaBufError} `EBADF` after the close, as all methods. */
  get fd(): number {
    if (this.#fd === undefined) throw new DmaBufError("EBADF", `Cannot use ${this.#what}: it is closed`);
    return this.#fd;
  }

  get isClosed(): boolean {
    return this.#fd === undefined;
  }

  /** Gives the descriptor away: it stays open, and this object is closed. */
  release(): number {
    const { fd } = this;
    this.#fd = undefined;
    return fd;
  }

  /** Another number for the same thing, closed on exec. The caller owns it. */
  duplicateDescriptor(): number {
    return duplicateDescriptor(this.fd);
  }

  /** Makes a request of the kernel's by hand. @throws {DmaBufError} With the kernel's errno. */
  request<F extends Fields>(
    which: Request<F>,
    given: Given<F> = {},
    action = `Cannot use ${this.#what}`,
    reasons: Reasons = {},
  ): Values<F> & { readonly result: number } {
    return call(this.fd, which, given, action, reasons);
  }

  /** Closes the descriptor. Twice does nothing. */
  close(): void {
    const fd = this.#fd;
    this.#fd = undefined;
    if (fd !== undefined) giveBack(() => closeDescriptor(fd));
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/** For what a descriptor is ready now. */
export function isDescriptorReady(fd: number, direction: "input" | "output"): boolean {
  const events = direction === "input" ? POLL.READABLE : POLL.WRITABLE;
  return (poll([{ fd, events }])[0]! & events) !== 0;
}
