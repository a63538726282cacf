import type { Socket } from "node:net";
import { codeOf, type ErrorCode } from "../../errors.js";
import { changePolicy, leftOut, type Consumer } from "../../stream/consumer.js";
import type { Frame } from "../../stream/frame.js";
import type { FrameStream } from "../../stream/frame-stream.js";
import type { Policy } from "../../stream/stream-slot.js";
import { encodeFrameData, encodeHeader, MOST_MISSED } from "./frame-header.js";

/**
 * The side of a relay that has the frames.
 *
 * stream-sender.1. The receiver sends one byte for each frame that it has a place for. No frame is taken from the stream before
 *      such a byte is there, so what a policy drops is dropped here, and a consumer that may miss none holds the producer.
 * stream-sender.2. A frame is sent from its own memory, and held until the system has its last byte, or until the socket is closed.
 * stream-sender.3. What the stream's consumer has missed before a frame is said in that frame's header; behind the first frame also
 *      what was gone when this began, as consumers of the other host may have been there.
 * stream-sender.4. Who has nothing to say for a while beats, on this very connection.
 * stream-sender.5. The end of the stream is said behind its last frame. What it has failed with is said, too.
 */

/** The bytes that a receiver sends: a place for one more frame, or another policy. */
export const CREDIT = 1;
export const POLICY_BYTES: Readonly<Record<Policy, number>> = { newest: 2, "drop-oldest": 3, block: 4 };
/** A stream has no more buffers, so no more places can be free. */
const MOST_CREDITS = 32;

export interface SenderOptions {
  readonly policy: Policy;
  /** Frames up to this number are there already. */
  readonly after: number | undefined;
  /** Milliseconds between two beats. */
  readonly beat: number;
}

/** Sends the frames of a stream on one connection, until one of the two ends. */
export class StreamSender {
  readonly #socket: Socket;
  readonly #stream: FrameStream;
  readonly #consumer: Consumer;
  #after: number;
  readonly #beat: number;
  readonly #timer: NodeJS.Timeout;
  /** Those that the system has not taken yet. */
  readonly #sending = new Set<Frame>();
  #credits = 0;
  #wake: (() => void) | undefined;
  /** How many were left out before the last frame that was sent; `undefined` before the first. */
  #leftOut: number | undefined;
  #lastSaid = performance.now();
  #closed = false;

  /** @param stream An end of its own: it is closed with the connection. */
  constructor(socket: Socket, stream: FrameStream, { policy, after = -1, beat }: SenderOptions) {
    this.#socket = socket;
    this.#stream = stream;
    this.#consumer = stream.frames({ policy });
    this.#after = after;
    this.#beat = beat;
    this.#timer = setInterval(() => this.#beatIfSilent(), beat / 2);
    socket.on("error", () => {});
    socket.on("close", () => this.#close());
    socket.on("end", () => socket.destroy());
    socket.on("data", (bytes: Uint8Array) => this.#heard(bytes));
    if (socket.destroyed) this.#close();
    else void this.#run();
  }

  #heard(bytes: Uint8Array): void {
    for (const byte of bytes) {
      const policy = (Object.keys(POLICY_BYTES) as Policy[]).find((policy) => POLICY_BYTES[policy] === byte);
      if (byte === CREDIT) this.#credits++;
      else if (policy !== undefined) changePolicy(this.#consumer, policy);
      if ((byte !== CREDIT && policy === undefined) || this.#credits > MOST_CREDITS) {
        this.#socket.destroy();
        return;
      }
    }
    this.#wake?.();
  }

  async #run(): Promise<void> {
    try {
      for (;;) {
        await this.#credit();
        const frame = await this.#next();
        if (this.#closed) frame?.close();
        if (this.#closed) return;
        if (frame === undefined) return this.#finish();
        if (frame.sequence > this.#after) this.#send(frame);
        else frame.close();
      }
    } catch (error) {
      if (!this.#closed) this.#finish(codeOf(error));
    }
  }

  /** stream-sender.1. */
  async #credit(): Promise<void> {
    while (this.#credits === 0 && !this.#closed) await new Promise<void>((resolve) => (this.#wake = resolve));
  }

  /** A frame whose metadata are damaged is missed. */
  async #next(): Promise<Frame | undefined> {
    for (;;) {
      try {
        return this.#closed ? undefined : await this.#consumer.next();
      } catch (error) {
        if (codeOf(error) !== "EPROTO" || this.#consumer.hasEnded) throw error;
      }
    }
  }

  #send(frame: Frame): void {
    const { sequence, timestamp, data, picture, bytes } = frame;
    const text = encodeFrameData({ data, picture });
    const left = leftOut(this.#consumer);
    const newly = this.#leftOut === undefined ? this.#consumer.missed : left - this.#leftOut;
    this.#leftOut = left;
    // Between an earlier connection and this one, no consumer of this host counted.
    const missed = this.#after < 0 ? newly : sequence - this.#after - 1;
    this.#after = -1;
    this.#credits--;
    this.#sending.add(frame);
    const { length } = bytes;
    const parts = [
      encodeHeader({
        kind: "frame",
        length,
        dataLength: text?.length ?? 0,
        missed: Math.min(missed, MOST_MISSED),
        sequence,
        timestamp,
      }),
      ...(text === undefined ? [] : [text]),
      ...(length === 0 ? [] : [bytes]),
    ];
    this.#say(parts, (error) => {
      // stream-sender.2: if it fails, the socket is not closed yet.
      if (!error && this.#sending.delete(frame)) frame.close();
    });
  }

  #say(parts: readonly Uint8Array[], said?: (error?: Error | null) => void): void {
    const socket = this.#socket;
    socket.cork();
    parts.forEach((part, i) => socket.write(part, i === parts.length - 1 ? said : undefined));
    socket.uncork();
    this.#lastSaid = performance.now();
  }

  #beatIfSilent(): void {
    const isSilent = performance.now() - this.#lastSaid >= this.#beat / 2;
    if (isSilent && this.#socket.writable && this.#socket.writableLength === 0)
      this.#say([encodeHeader({ kind: "beat" })]);
  }

  #finish(code?: ErrorCode): void {
    this.#say([encodeHeader(code === undefined ? { kind: "end" } : { kind: "fail", code })]);
    this.#socket.end();
  }

  #close(): void {
    if (this.#closed) return;
    this.#closed = true;
    clearInterval(this.#timer);
    this.#wake?.();
    for (const frame of this.#sending) frame.close();
    this.#sending.clear();
    this.#consumer.close();
    this.#stream.close();
  }
}
