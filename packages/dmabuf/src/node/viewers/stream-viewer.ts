import { Socket } from "node:net";
import { allOrNothing } from "../../all-or-nothing.js";
import { ABORT_SIGNAL, checkOptions, TIMEOUT, type Kinds } from "../../arguments.js";
import { Held, HeldList } from "../../domain/held.js";
import { waitUntil } from "../../domain/wait.js";
import { DmaBufError } from "../../errors.js";
import type { FrameFormat } from "../../stream/format.js";
import { giveFrame, PublishedFrame } from "../../stream/frame.js";
import { formatDamage } from "../../stream/received-format.js";
import { frameBufferSize } from "../../stream/stream-handle.js";
import { metadataOffset, readMetadata } from "../../stream/metadata.js";
import { connectInTime } from "../joining/listening-socket.js";
import { processHost } from "../host.js";
import { checkPlace, USERS } from "../joining/join-options.js";
import { KnownUsers } from "../joining/known-users.js";
import { endConnection, letGo, letGoConnection } from "../memory/let-go.js";
import { applyTo, FirstLines, onLines, saidBy, sendLine } from "../joining/json-lines.js";
import type { MemoryMapping } from "../memory/memory-mapping.js";
import { MemoryObject } from "../memory/memory-object.js";
import type { ShownStream } from "./viewer-server.js";
import { descriptorOf } from "../joining/socket-descriptor.js";
import { threadLedger } from "../memory/thread-ledger.js";

export interface ConnectViewerOptions {
  /** Whose stream it may be beside this user's and root's, by their numbers. Default: no other's. */
  readonly users?: readonly number[];
  /** Milliseconds to wait for an answer. Default 5,000. */
  readonly timeout?: number;
  readonly signal?: AbortSignal;
}

const VISIT: Kinds<ConnectViewerOptions> = { users: USERS, timeout: TIMEOUT, signal: ABORT_SIGNAL };
const NEXT: Kinds<{ readonly signal?: AbortSignal }> = { signal: ABORT_SIGNAL };

const VISIT_TIMEOUT = 5_000;

let makeViewedFrame: (held: Held, format: FrameFormat, whole: Uint8Array) => ViewedFrame;

/** A frame that a guest looks at. Its bytes can only be read: writing to them ends the process. */
export class ViewedFrame extends PublishedFrame {
  private constructor(format: FrameFormat, whole: Uint8Array) {
    const metadata = readMetadata(new DataView(whole.buffer, whole.byteOffset + metadataOffset(format.size)));
    super(format, whole.subarray(0, format.size), metadata);
  }

  static {
    makeViewedFrame = (held, format, whole) => giveFrame(held, new ViewedFrame(format, whole));
  }
}

/**
 * A process that may look at a stream and do nothing else: it has joined no domain, its memory of the frames can only be
 * read, and its end gives back what it held.
 */
export class StreamViewer implements Disposable {
  readonly name: string;
  readonly format: FrameFormat;
  readonly #connection: Socket;
  readonly #objects: readonly MemoryObject[];
  readonly #mappings: readonly MemoryMapping[];
  /** Places in the ring that were told of and not looked at; what the stream ended with. */
  readonly #told: number[] = [];
  /** A frame is being looked at. */
  #looking = false;
  readonly #list = new HeldList(processHost());
  #ended: { readonly error?: DmaBufError } | undefined;
  readonly #looks = new Set<() => void>();

  private constructor(
    connection: Socket,
    { name, format }: ShownStream,
    objects: readonly MemoryObject[],
    mappings: readonly MemoryMapping[],
    rest: string,
  ) {
    this.name = name;
    this.format = format;
    this.#connection = connection;
    this.#objects = objects;
    this.#mappings = mappings;
    connection.on("close", () => {
      this.#ended ??= { error: new DmaBufError("ECONNRESET", "Cannot look at the stream: who showed it is gone") };
      this.#wake();
    });
    onLines(connection, (line) => this.#heard(line), rest);
  }

  /**
   * Begins to look at the stream that is shown there.
   *
   * @param where A path, or "@" and an abstract name.
   * @throws {DmaBufError} `ECONNREFUSED` or `ENOENT` if nobody shows anything there; `EACCES` if this user may not look,
   *   or if it is another user's who is not among `users`; `ENOSPC` if there are too many guests; `ETIMEDOUT`; `EPROTO` if this is no stream, or one that does not fit its
   *   memory.
   */
  static async connect(where: string, options: ConnectViewerOptions = {}): Promise<StreamViewer> {
    checkPlace("StreamViewer.connect()", where);
    checkOptions("StreamViewer.connect()", options, VISIT);
    const { timeout = VISIT_TIMEOUT, signal, users } = options;
    const limits = { end: performance.now() + timeout, signal };
    const approach = { where, users: new KnownUsers(users), action: "Cannot look at the stream" };
    const ledger = threadLedger();
    const fd = await connectInTime(approach, limits);
    return allOrNothing(async (orUndo) => {
      const connection = ledger.open(() => fd);
      orUndo(() => letGoConnection(ledger.handOver(connection)));
      const lines = new FirstLines(fd, `The stream at ${where}`, ledger);
      orUndo(() => lines.close());
      applyTo(fd, { guest: true });
      const shown = checkShown(await lines.next(limits));
      const pending = [...lines.takeDescriptors()];
      orUndo(() => letGo(...pending.map((entry) => ledger.handOver(entry))));
      const objects: MemoryObject[] = [];
      while (pending.length > 0) {
        const object = MemoryObject.adopt(ledger, pending.shift()!);
        orUndo(() => object.close());
        objects.push(object);
      }
      const { buffers, bytes } = shown;
      if (objects.length !== buffers || objects.some(({ length }) => length < bytes)) {
        throw new DmaBufError("EPROTO", `The stream at ${where} is shown with memory that does not fit it`);
      }
      const mappings = objects.map((object) => {
        const mapping = object.map({ offset: 0, length: bytes });
        orUndo(() => mapping.close());
        return mapping;
      });
      const rest = lines.handOver();
      return new StreamViewer(new Socket({ fd: ledger.handOver(connection) }), shown, objects, mappings, rest);
    });
  }

  /** The frames, until the stream ends. Dispose each before the next: there is one at a time. */
  frames(options: { readonly signal?: AbortSignal } = {}): AsyncGenerator<ViewedFrame, void, undefined> {
    checkOptions("StreamViewer.frames()", options, NEXT);
    return this.#frames(options);
  }

  async *#frames(options: { readonly signal?: AbortSignal }): AsyncGenerator<ViewedFrame, void, undefined> {
    for (;;) {
      const frame = await this.next(options);
      if (frame === undefined) return;
      try {
        yield frame;
      } finally {
        frame[Symbol.dispose]();
      }
    }
  }

  /**
   * The next frame; `undefined` once the stream has ended.
   *
   * @throws {DmaBufError} `ECONNRESET` if who showed it is gone; what the stream has failed with.
   */
  async next(options: { readonly signal?: AbortSignal } = {}): Promise<ViewedFrame | undefined> {
    checkOptions("StreamViewer.next()", options, NEXT);
    const { signal } = options;
    const ready = (): boolean => this.#told.length > 0 || this.#ended !== undefined;
    const subscribe = (done: () => void): (() => void) => {
      this.#looks.add(done);
      return () => this.#looks.delete(done);
    };
    // Another call may have taken what all were woken for.
    while (!ready()) await waitUntil({ host: processHost() }, { signal }, ready, subscribe);
    const place = this.#told.shift();
    if (place !== undefined) return this.#frameAt(place);
    if (this.#ended?.error !== undefined) throw this.#ended.error;
    return undefined;
  }

  close(): void {
    this.#ended ??= {};
    this.#wake();
    endConnection(this.#connection);
    for (const mapping of this.#mappings) mapping.close();
    for (const object of this.#objects) object.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #wake(): void {
    for (const look of [...this.#looks]) look();
  }

  #frameAt(place: number): ViewedFrame {
    const mapping = this.#mappings[place]!;
    const endUse = mapping.use();
    const held = new Held(
      this.#list,
      () => `A frame of stream "${this.name}"`,
      () => {
        endUse();
        this.#giveBack();
      },
    );
    this.#looking = true;
    try {
      return makeViewedFrame(held, this.format, new Uint8Array(mapping.buffer));
    } catch (error) {
      held.end();
      throw error;
    }
  }

  #giveBack(): void {
    this.#looking = false;
    if (this.#connection.destroyed) return;
    try {
      sendLine(descriptorOf(this.#connection), { done: true });
    } catch {
      // Who showed it is gone, or does not listen: no other frame will come.
      endConnection(this.#connection);
    }
  }

  /** @throws {DmaBufError} `EPROTO`: the connection is ended then. */
  #heard(line: object): void {
    const { place, end, failed } = line as { place?: unknown; end?: unknown; failed?: unknown };
    const isDue = !this.#looking && this.#told.length === 0;
    if (typeof place === "number" && this.#mappings[place] !== undefined && isDue) this.#told.push(place);
    else if (end === true) this.#ended = {};
    else if (failed !== undefined) this.#ended = { error: saidBy("Who shows the stream", failed ?? {}) };
    else throw new DmaBufError("EPROTO", "Who shows the stream has said what cannot be understood");
    this.#wake();
  }
}

function checkShown(line: object): ShownStream {
  const { name, format, buffers, bytes } = line as Partial<ShownStream>;
  const damage = formatDamage(format);
  if (damage !== undefined) throw new DmaBufError("EPROTO", `The stream is shown with a damaged format: ${damage}`);
  if (typeof name !== "string" || !isCount(buffers) || !isCount(bytes)) {
    throw new DmaBufError("EPROTO", "The stream is shown with words that cannot be understood");
  }
  if (bytes < frameBufferSize(format!, 0)) {
    throw new DmaBufError("EPROTO", `The stream is shown with buffers of ${bytes} bytes, which no frame fits into`);
  }
  return { name, format: format!, buffers, bytes };
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) > 0;
}
