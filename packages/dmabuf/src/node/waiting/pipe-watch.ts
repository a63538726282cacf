import { constants } from "node:fs";
import { Socket } from "node:net";
import { reopenDescriptor } from "../system-calls/index.js";

/** One event loop's watch on a pipe. It does not keep the process alive. */
export class PipeWatch {
  readonly #socket: Socket;
  #onBytes: (() => void) | undefined;

  /**
   * @param pipe A descriptor of either end; it stays the caller's.
   * @param onBytes Called after bytes came and were read: once for many.
   */
  constructor(pipe: number, onBytes: () => void) {
    this.#onBytes = onBytes;
    const callback = (): boolean => {
      this.#onBytes?.();
      return true;
    };
    // A description of its own: it does not block, whatever the other ones do.
    const fd = reopenDescriptor(pipe, "read", constants.O_NONBLOCK);
    const options = {
      fd,
      readable: true,
      writable: false,
      onread: { buffer: new Uint8Array(512), callback },
    };
    this.#socket = new Socket(options);
    this.#socket.unref();
    // Nothing but a close can happen to it; without a listener an error would end the process.
    this.#socket.on("error", () => {});
    this.#socket.resume();
  }

  close(): void {
    this.#onBytes = undefined;
    this.#socket.destroy();
  }
}
