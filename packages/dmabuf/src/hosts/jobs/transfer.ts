import type { Socket } from "node:net";
import { DmaBufError } from "../../errors.js";
import type { Peer } from "../peers.js";

/**
 * The bytes of one buffer, on a data connection of their own.
 *
 * transfer.1. Bytes are sent from their memory and received into it. A socket that is not closed may still be at that memory: so
 *     sending and receiving end when it is, in whichever way, and never before.
 * transfer.2. As many bytes come as there is room for, or it has failed: fewer are `ECONNRESET`, more are `EPROTO`.
 * transfer.3. The loss of the other host destroys the socket, and an abort does.
 */

/** Sends the bytes, and ends when the memory is no longer needed. @throws {DmaBufError} `ECONNRESET`; the signal's reason. */
export async function sendBytes(socket: Socket, views: readonly Uint8Array[], signal: AbortSignal): Promise<void> {
  const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()));
  const abort = (): void => void socket.destroy();
  socket.on("error", () => {});
  signal.addEventListener("abort", abort, { once: true });
  let isSent = false;
  try {
    if (signal.aborted || socket.destroyed) abort();
    else {
      // The receiver hangs up when it has all.
      socket.resume();
      socket.cork();
      for (const view of views) socket.write(view);
      socket.end(() => (isSent = true));
      socket.uncork();
    }
    await closed;
  } finally {
    signal.removeEventListener("abort", abort);
  }
  if (isSent) return;
  throw signal.aborted ? (signal.reason as Error) : brokenOff();
}

/**
 * Receives as many bytes as the views have, by a ticket of the other host's.
 *
 * @throws {DmaBufError} `ECONNRESET`, `EPROTO` or what `peer.open()` throws; the signal's reason.
 */
export async function receiveBytes(
  peer: Peer,
  ticket: string,
  views: readonly Uint8Array[],
  signal: AbortSignal,
): Promise<void> {
  signal.throwIfAborted();
  const into = new Filling(views);
  const opening = peer.open(ticket, {
    buffer: () => (signal.aborted ? into.spare : into.next),
    callback: (bytes) => {
      into.took(bytes);
      return true;
    },
  });
  const socket = await unlessAborted(opening, signal);
  const abort = (): void => void socket.destroy();
  signal.addEventListener("abort", abort, { once: true });
  into.onEnd = abort;
  try {
    await new Promise<void>((resolve) => {
      if (socket.closed) return resolve();
      socket.on("error", () => {});
      socket.once("close", () => resolve());
      socket.once("end", abort);
      if (signal.aborted || into.isFull || socket.readableEnded) abort();
    });
  } finally {
    signal.removeEventListener("abort", abort);
  }
  if (into.hasMore) throw new DmaBufError("EPROTO", "Cannot take the bytes: more come than the buffer has");
  if (into.isFull) return;
  throw signal.aborted ? (signal.reason as Error) : brokenOff();
}

/** What is opened for a caller that no longer waits is closed: nothing was put into its memory. */
async function unlessAborted(opening: Promise<Socket>, signal: AbortSignal): Promise<Socket> {
  let isLate = false;
  opening.then(
    (socket) => isLate && socket.destroy(),
    () => {},
  );
  let abort: () => void;
  const aborted = new Promise<never>((_, reject) => {
    abort = () => {
      isLate = true;
      reject(signal.reason as Error);
    };
  });
  signal.addEventListener("abort", abort!, { once: true });
  try {
    return await Promise.race([opening, aborted]);
  } finally {
    signal.removeEventListener("abort", abort!);
  }
}

function brokenOff(): DmaBufError {
  return new DmaBufError("ECONNRESET", "Cannot send or take the bytes: the connection was broken off");
}

/** Memory that is filled from its beginning. */
class Filling {
  /** For bytes that have no place. */
  readonly spare = new Uint8Array(1);
  hasMore = false;
  onEnd: () => void = () => {};
  readonly #left: Uint8Array[];

  constructor(views: readonly Uint8Array[]) {
    this.#left = views.filter(({ length }) => length > 0);
  }

  get isFull(): boolean {
    return this.#left.length === 0;
  }

  get next(): Uint8Array {
    return this.#left[0] ?? this.spare;
  }

  took(bytes: number): void {
    const view = this.#left[0];
    if (view === undefined) this.hasMore = bytes > 0;
    else if (bytes < view.length) this.#left[0] = view.subarray(bytes);
    else this.#left.shift();
    if (this.isFull) this.onEnd();
  }
}
