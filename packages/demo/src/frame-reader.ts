import type net from "node:net";

/** A frame's memory that no consumer reads yet. Disposing it unpublished gives it back. */
export interface Loan extends Disposable {
  readonly bytes: Uint8Array;
  /** Hands the frame to the consumers. */
  publish(): void;
}

/**
 * Cuts a byte stream into frames of one size, each read by the operating system straight into its loan.
 *
 * frame-reader.1. No byte is copied in JavaScript: the socket is given the loan's own memory to read into.
 * frame-reader.2. The last byte of a frame is read only when the next loan is there. After each read Node.js asks at
 *     once where the next one goes, and a socket that was paused still reads into what it was told then; so there is
 *     always a place for the next byte, and a socket without one is paused in front of a frame's last byte.
 * frame-reader.3. At most two loans are held: the one being filled and the one after it.
 */
export class FrameReader implements Disposable {
  readonly #take: () => Promise<Loan>;
  #current: Loan;
  #filled = 0;
  #next: Loan | undefined;
  #taking = false;
  #paused = false;
  #closed = false;
  #frames = 0;
  #socket: net.Socket | undefined;

  /**
   * @param first The loan of the first frame; its length is the size of every frame.
   * @param take Waits for another loan of the same size; its rejection destroys the socket with that error.
   */
  constructor(first: Loan, take: () => Promise<Loan>) {
    this.#current = first;
    this.#take = take;
  }

  /** For the constructor of the socket that is then given to {@link FrameReader.start}. */
  get onread(): net.OnReadOpts {
    return { buffer: () => this.#room(), callback: (bytes) => this.#received(bytes) };
  }

  /** Frames published so far. */
  get frames(): number {
    return this.#frames;
  }

  /** Bytes of a frame that has begun and is not complete. */
  get partial(): number {
    return this.#filled;
  }

  start(socket: net.Socket): void {
    this.#socket = socket;
    this.#wantNext();
    socket.resume();
  }

  /** Gives back the loans it holds. */
  [Symbol.dispose](): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#current[Symbol.dispose]();
    this.#next?.[Symbol.dispose]();
    this.#next = undefined;
  }

  /** Where the next bytes go; never empty. */
  #room(): Uint8Array {
    const { bytes } = this.#current;
    const end = this.#next === undefined && !this.#atLastByte ? bytes.length - 1 : bytes.length;
    return bytes.subarray(this.#filled, end);
  }

  get #atLastByte(): boolean {
    return this.#filled === this.#current.bytes.length - 1;
  }

  #received(bytes: number): boolean {
    if (this.#closed) return false;
    this.#filled += bytes;
    if (this.#filled === this.#current.bytes.length) this.#complete();
    this.#paused = this.#atLastByte && this.#next === undefined;
    return !this.#paused;
  }

  #complete(): void {
    // frame-reader.2: the last byte was not read without it.
    const next = this.#next as Loan;
    this.#next = undefined;
    const complete = this.#current;
    this.#current = next;
    this.#filled = 0;
    this.#frames++;
    complete.publish();
    this.#wantNext();
  }

  #wantNext(): void {
    if (this.#taking) return;
    this.#taking = true;
    this.#take().then(
      (loan) => {
        this.#taking = false;
        if (this.#closed) {
          loan[Symbol.dispose]();
          return;
        }
        this.#next = loan;
        if (!this.#paused) return;
        this.#paused = false;
        this.#socket?.resume();
      },
      (error: unknown) => {
        if (!this.#closed) this.#socket?.destroy(error instanceof Error ? error : new Error(String(error)));
      },
    );
  }
}
