import type { Socket } from "node:net";
import { DmaBufError, type ErrorCode } from "../../errors.js";
import type { FrameFormat } from "../../stream/format.js";
import type { Loan } from "../../stream/frame.js";
import { endOf, type FrameStream } from "../../stream/frame-stream.js";
import type { Policy } from "../../stream/stream-slot.js";
import type { OnRead } from "../peers.js";
import { decodeFrameData, decodeHeader, HEADER_BYTES, mostData, type FrameData, type Header } from "./frame-header.js";
import { CREDIT, POLICY_BYTES } from "./stream-sender.js";

/**
 * The side of a relay that gets the frames.
 *
 * stream-receiver.1. A credit is sent for each blank in hand: nothing comes that has no place. A frame that comes without one is
 *      an error of the sender's.
 * stream-receiver.2. The bytes are read into the blank. It is published when the last of them is there, and not before.
 * stream-receiver.3. The socket may still fill a blank until it is closed: the blank is given back then, and not before.
 * stream-receiver.4. A sender of which nothing is heard for longer than the limit is lost, unless this side was silent itself.
 * stream-receiver.5. Once no consumer is there, the connection is closed.
 * stream-receiver.6. While it has a blank in hand, no other one costs the newest frame, as no frame may come any more: that is there
 *      for consumers as long as they leave one other place free.
 */
export interface ReceiverOptions {
  /** What the frames are published on. */
  readonly stream: FrameStream;
  readonly dataBytes: number;
  /** How many blanks it has in hand, and how many it may have. */
  readonly credits: number;
  readonly most: number;
  /** Milliseconds of silence. */
  readonly limit: number;
  /** Connects. */
  readonly open: (onread: OnRead) => Promise<Socket>;
}

/** Why no further frame comes. */
export type Outcome =
  | { readonly kind: "end" }
  | { readonly kind: "fail"; readonly code: ErrorCode }
  /** No consumer is there. */
  | { readonly kind: "left" }
  | { readonly kind: "lost"; readonly error: unknown };

const NOTHING: FrameData = {};

/** Gets the frames of one connection. */
export class StreamReceiver {
  readonly #options: ReceiverOptions;
  readonly #format: FrameFormat;
  /** A header, and the JSON behind it. */
  readonly #head: Uint8Array;
  #have = 0;
  #need = HEADER_BYTES;
  #header: (Header & { readonly kind: "frame" }) | undefined;
  #data = NOTHING;
  readonly #blanks: Loan[] = [];
  /** The blank that the socket fills, and how many bytes of it. */
  #filling: Loan | undefined;
  #got = 0;
  /** The number of the last frame. */
  #last: number | undefined;
  #lastHeard = 0;
  #socket: Socket | undefined;
  readonly #stop = new AbortController();
  #outcome: Outcome | undefined;
  #credits: number;

  constructor(options: ReceiverOptions) {
    this.#options = options;
    this.#format = options.stream.format;
    this.#credits = options.credits;
    this.#head = new Uint8Array(HEADER_BYTES + mostData(options.dataBytes));
  }

  /** The number of the last frame that was published. */
  get last(): number | undefined {
    return this.#last;
  }

  /**
   * Gets frames until no further one comes. Nothing fills the stream's memory any more then.
   *
   * @throws {DmaBufError} As `open()`.
   */
  async run(): Promise<Outcome> {
    const { open, limit } = this.#options;
    const socket = await open({ buffer: () => this.#place(), callback: (bytes) => this.#took(bytes) });
    this.#socket = socket;
    const closed = socket.closed ? undefined : new Promise<void>((resolve) => socket.once("close", () => resolve()));
    socket.on("error", () => {});
    socket.once("end", () => this.#lose("it has hung up"));
    socket.once("close", () => this.#lose("the connection is lost"));
    this.#lastHeard = performance.now();
    let lastLook = this.#lastHeard;
    const timer = setInterval(() => {
      const now = performance.now();
      // stream-receiver.4
      if (now - lastLook > limit) this.#lastHeard = now;
      lastLook = now;
      this.#look(now);
    }, limit / LOOKS);
    // What came before there was a socket may have ended it.
    if (this.#outcome !== undefined) socket.destroy();
    void this.#grantMore(this.#credits);
    await closed;
    clearInterval(timer);
    this.#stop.abort();
    // stream-receiver.3
    for (const blank of [...this.#blanks, this.#filling]) blank?.close();
    this.#blanks.length = 0;
    this.#filling = undefined;
    return this.#outcome ?? { kind: "lost", error: new DmaBufError("ESRCH", "The connection is lost") };
  }

  /** Frames are to come in another way. */
  ask({ policy, credits }: { readonly policy: Policy; readonly credits: number }): void {
    if (this.#socket === undefined) return;
    this.#say(POLICY_BYTES[policy]);
    const more = Math.max(0, Math.min(credits, this.#options.most) - this.#credits);
    this.#credits += more;
    void this.#grantMore(more);
  }

  /** Leaves the sender. `run()` then resolves, with this unless something else came first. */
  finish(outcome: Outcome): void {
    this.#outcome ??= outcome;
    this.#stop.abort();
    this.#socket?.destroy();
  }

  #lose(why: string): void {
    this.finish({ kind: "lost", error: new DmaBufError("ESRCH", `The other host sends no frames any more: ${why}`) });
  }

  #look(now: number): void {
    const { stream, limit } = this.#options;
    if (now - this.#lastHeard > limit) this.#lose(`nothing was heard of it for ${limit} ms`);
    // stream-receiver.5
    if (stream.hasEnded || stream.consumers === 0) this.finish({ kind: "left" });
  }

  /** One after the other: each knows whether another blank is in hand. */
  async #grantMore(count: number): Promise<void> {
    for (; count > 0; count--) await this.#grant();
  }

  /** stream-receiver.1. */
  async #grant(): Promise<void> {
    try {
      // stream-receiver.6
      const isBeside = (): boolean => this.#blanks.length > 0;
      const blank = await endOf(this.#options.stream).loanBeside(isBeside, { signal: this.#stop.signal });
      if (blank === undefined || this.#stop.signal.aborted) return blank?.close();
      this.#blanks.push(blank);
      this.#say(CREDIT);
    } catch (error) {
      this.finish({ kind: "lost", error });
    }
  }

  #say(byte: number): void {
    if (this.#socket?.writable === true) this.#socket.write(Uint8Array.of(byte));
  }

  /** Where the next bytes go. No error may leave it. */
  #place(): Uint8Array {
    try {
      if (this.#filling === undefined) return this.#head.subarray(this.#have, this.#need);
      return this.#filling.bytes.subarray(this.#got, this.#header!.length);
    } catch (error) {
      this.finish({ kind: "lost", error });
      return new Uint8Array(HEADER_BYTES);
    }
  }

  /** @returns Whether more may come. */
  #took(bytes: number): boolean {
    if (this.#outcome !== undefined) return false;
    this.#lastHeard = performance.now();
    try {
      if (this.#filling !== undefined) this.#got += bytes;
      else this.#have += bytes;
      if (this.#filling === undefined && this.#have === this.#need) this.#takeHead();
      if (this.#filling !== undefined && this.#got === this.#header!.length) this.#publish(this.#filling);
    } catch (error) {
      this.finish({ kind: "lost", error });
    }
    return this.#outcome === undefined;
  }

  #takeHead(): void {
    if (this.#header === undefined) {
      const header = decodeHeader(this.#head, this.#format, this.#options.dataBytes);
      this.#have = 0;
      if (header.kind === "beat") return;
      if (header.kind !== "frame") return this.finish(header);
      this.#header = header;
      this.#need = header.dataLength;
    } else {
      this.#data = decodeFrameData(this.#head.subarray(0, this.#need));
      this.#have = 0;
      this.#need = 0;
    }
    if (this.#need > 0) return;
    const blank = this.#blanks.shift();
    if (blank === undefined) throw new DmaBufError("EPROTO", "The other host has sent a frame that has no place");
    this.#filling = blank;
    this.#got = 0;
  }

  /** stream-receiver.2. */
  #publish(blank: Loan): void {
    const { length, missed, sequence, timestamp } = this.#header!;
    const { data, picture } = this.#data;
    const isWhole = length === this.#format.size;
    blank.publish({
      sequence,
      missed,
      timestamp,
      ...(data !== undefined && { data }),
      ...(picture !== undefined && { picture }),
      ...(!isWhole && { length }),
    });
    this.#last = sequence;
    this.#filling = undefined;
    this.#header = undefined;
    this.#data = NOTHING;
    this.#need = HEADER_BYTES;
    if (this.#options.stream.consumers === 0) this.finish({ kind: "left" });
    else void this.#grant();
  }
}

/** How often it looks in a limit of silence. */
const LOOKS = 10;
