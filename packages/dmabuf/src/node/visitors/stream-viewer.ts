import { Socket } from "node:net";
import { allOrNothing } from "../../all-or-nothing.js";
import { ABORT_SIGNAL, checkOptions, isCount, NAME, TIMEOUT, type Kinds } from "../../arguments.js";
import { Held, HeldList, owned } from "../../domain/held.js";
import { wantsDebug } from "../../host/environment.js";
import { waitUntil } from "../../domain/wait.js";
import { DmaBufError } from "../../errors.js";
import type { FrameFormat } from "../../stream/format.js";
import { givenBack, planesOf, PublishedFrame, viewsIn, type Plane } from "../../stream/frame.js";
import { formatDamage } from "../../stream/received-format.js";
import { frameBufferSize } from "../../stream/stream-handle.js";
import {
  dataIn,
  lengthIn,
  metadataOffset,
  pictureIn,
  publishedAtIn,
  sequenceIn,
  timestampIn,
  type JsonValue,
} from "../../stream/metadata.js";
import type { Picture } from "../../stream/picture.js";
import { connectInTime } from "../connecting/listening-socket.js";
import { processHost } from "../host.js";
import { checkPlace, USERS } from "../joining/join-options.js";
import { KnownUsers } from "../connecting/known-users.js";
import { endConnection, letGo, letGoConnection } from "../resources/let-go.js";
import { sendRequest, HandshakeReader, onLines, remoteError, sendLine } from "../connecting/json-lines.js";
import type { MemoryMapping } from "../memory/memory-mapping.js";
import { MemoryObject } from "../memory/memory-object.js";
import { POLICY, type Policy } from "../../stream/stream-slot.js";
import type { ServedStream } from "./viewer-server.js";
import { checkVersion, helloOf } from "./visitor-words.js";
import { descriptorOf } from "../resources/socket-descriptor.js";
import { threadLedger } from "../resources/thread-ledger.js";

/** Options of {@link StreamViewer.connect}. */
export interface ConnectViewerOptions {
  /** The numbers of the users whose stream it may be, beside this user and root. Default: none. */
  readonly users?: readonly number[];
  /** Milliseconds to wait for an answer. Default 5,000. */
  readonly timeout?: number;
  /** Ends the wait for an answer. */
  readonly signal?: AbortSignal;
  /** What happens when this viewer is slower than the producer. The server must allow it. Default: what the server has set. */
  readonly policy?: Policy;
  /** The name of a group of viewers that share the frames. The server must allow it. Default: what the server has set. */
  readonly group?: string;
  /** What this viewer calls itself, for people. At most 31 bytes of UTF-8. */
  readonly name?: string;
}

const CONNECT_VIEWER: Kinds<ConnectViewerOptions> = {
  users: USERS,
  timeout: TIMEOUT,
  signal: ABORT_SIGNAL,
  policy: POLICY,
  group: NAME,
  name: NAME,
};
const NEXT: Kinds<{ readonly signal?: AbortSignal }> = { signal: ABORT_SIGNAL };

const CONNECT_TIMEOUT = 5_000;

let makeViewedFrame: (held: Held, format: FrameFormat, whole: Uint8Array) => ViewedFrame<never>;

/** A frame that a viewer looks at. Its bytes can only be read: writing to them ends the process. */
export class ViewedFrame<Data = JsonValue> extends PublishedFrame<Data> {
  readonly format: FrameFormat;
  readonly sequence: number;
  readonly timestamp: number;
  readonly publishedAt: number;
  readonly data: Data | undefined;
  readonly picture: Picture | undefined;
  readonly #held: Held;
  readonly #whole: Uint8Array;
  #planes: readonly [Plane, ...Plane[]] | undefined;

  private constructor(held: Held, format: FrameFormat, whole: Uint8Array) {
    super();
    const area = new DataView(whole.buffer, whole.byteOffset + metadataOffset(format.size));
    this.format = format;
    this.sequence = sequenceIn(area);
    this.timestamp = timestampIn(area);
    this.publishedAt = publishedAtIn(area);
    this.data = dataIn(area) as Data | undefined;
    this.picture = pictureIn(area, format);
    this.#held = held;
    this.#whole = whole.subarray(0, lengthIn(area, format));
  }

  static {
    makeViewedFrame = (held, format, whole) =>
      owned(held, new ViewedFrame<never>(held, format, whole), (frame) => viewsIn(frame.#whole, frame.#planes));
  }

  override get bytes(): Uint8Array {
    if (this.#held.isOver) throw givenBack();
    return this.#whole;
  }

  override get planes(): readonly [Plane, ...Plane[]] {
    return (this.#planes ??= planesOf(this, this.bytes, this.#held));
  }

  override close(): void {
    this.#held.end();
  }
}

/**
 * A process that may look at a stream and do nothing else: it has joined no domain, its memory of the frames can only be
 * read, and its end gives back what it held.
 *
 * @example
 * ```ts
 * import { ProcessDomain, StreamViewer } from "dmabuf/node";
 * import { rawFormat } from "dmabuf";
 *
 * using domain = ProcessDomain.create();
 * using stream = domain.createStream({ name: "camera", format: rawFormat(64) });
 * using server = domain.serveViewers("@camera-of-example", stream);
 * // Mostly in another process:
 * using viewer = await StreamViewer.connect("@camera-of-example");
 * using loan = await stream.loan();
 * loan?.publish();
 * using frame = await viewer.next();
 * console.log(viewer.name, frame?.sequence, server.viewers);
 * ```
 */
export class StreamViewer<Data = JsonValue> implements Disposable {
  /** The stream's name. */
  readonly name: string;
  /** The format of all of its frames. */
  readonly format: FrameFormat;
  /** What happens when this viewer is slower than the producer. */
  readonly policy: Policy;
  readonly #connection: Socket;
  readonly #objects: readonly MemoryObject[];
  readonly #mappings: readonly MemoryMapping[];
  /** Places in the ring that were told of and not looked at; what the stream ended with. */
  readonly #told: number[] = [];
  /** A frame is being looked at. */
  #looking = false;
  readonly #list = new HeldList(processHost(), wantsDebug());
  #ended: { readonly error?: DmaBufError } | undefined;
  readonly #looks = new Set<() => void>();

  private constructor(
    connection: Socket,
    { name, format, policy }: ServedStream,
    objects: readonly MemoryObject[],
    mappings: readonly MemoryMapping[],
    rest: string,
  ) {
    this.name = name;
    this.format = format;
    this.policy = policy;
    this.#connection = connection;
    this.#objects = objects;
    this.#mappings = mappings;
    connection.on("close", () => {
      this.#ended ??= {
        error: new DmaBufError("ECONNRESET", "Cannot look at the stream: the process that served it is gone"),
      };
      this.#wake();
    });
    onLines(connection, (line) => this.#heard(line), rest);
  }

  /**
   * Begins to look at the stream that is served there. `Data` is the type of what travels with its frames, as the program says: no
   * code checks it.
   *
   * @param where A path, or "@" and an abstract name.
   * @throws {DmaBufError} `ECONNREFUSED` or `ENOENT` if no process serves anything there; `EACCES` if this user may not
   *   look, if the server's user is not among `users`, or if the server does not allow the policy or the group; `ENOSPC` if there are too many viewers; `ETIMEDOUT` if no answer
   *   comes in time; `EPROTO` if this is no stream, or one that does not fit its memory; `EMFILE` if there is no
   *   descriptor left. The signal's reason if it aborts.
   */
  static async connect<Data = JsonValue>(
    where: string,
    options: ConnectViewerOptions = {},
  ): Promise<StreamViewer<Data>> {
    checkPlace("StreamViewer.connect()", where);
    checkOptions("StreamViewer.connect()", options, CONNECT_VIEWER);
    const { timeout = CONNECT_TIMEOUT, signal, users, ...wishes } = options;
    const limits = { end: performance.now() + timeout, signal };
    const approach = { where, users: new KnownUsers(users), action: "Cannot look at the stream" };
    const ledger = threadLedger();
    const fd = await connectInTime(approach, limits);
    return allOrNothing(async (orUndo) => {
      const connection = ledger.open(() => fd);
      orUndo(() => letGoConnection(ledger.handOver(connection)));
      const lines = new HandshakeReader(fd, `The stream at ${where}`, ledger);
      orUndo(() => lines.close());
      sendRequest(fd, helloOf("viewer", wishes));
      const shown = checkServed(await lines.next(limits));
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
        throw new DmaBufError("EPROTO", `The stream at ${where} is served with memory that does not fit it`);
      }
      const mappings = objects.map((object) => {
        const mapping = object.map({ offset: 0, length: bytes });
        orUndo(() => mapping.close());
        return mapping;
      });
      const rest = lines.handOver();
      return new StreamViewer<Data>(new Socket({ fd: ledger.handOver(connection) }), shown, objects, mappings, rest);
    });
  }

  /**
   * The frames, until the stream ends. Each is given back when the loop asks for the next: there is one at a time.
   *
   * @throws {DmaBufError} As {@link next}.
   */
  frames(options: { readonly signal?: AbortSignal } = {}): AsyncGenerator<ViewedFrame<Data>, void, undefined> {
    checkOptions("StreamViewer.frames()", options, NEXT);
    return this.#frames(options);
  }

  async *#frames(options: { readonly signal?: AbortSignal }): AsyncGenerator<ViewedFrame<Data>, void, undefined> {
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
   * @throws {DmaBufError} `ECONNRESET` if the process that served it is gone; what the stream has failed with. The
   *   signal's reason if it aborts.
   */
  async next(options: { readonly signal?: AbortSignal } = {}): Promise<ViewedFrame<Data> | undefined> {
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

  /** Ends the connection and unmaps the frames; a `next()` that waits gets `undefined`. Twice does nothing. */
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

  #frameAt(place: number): ViewedFrame<Data> {
    const mapping = this.#mappings[place]!;
    mapping.beginUse();
    const held = new Held(
      this.#list,
      () => `A frame of stream "${this.name}"`,
      () => {
        mapping.endUse();
        this.#giveBack();
      },
    );
    this.#looking = true;
    return allOrNothing((orUndo) => {
      orUndo(() => held.end());
      return makeViewedFrame(held, this.format, new Uint8Array(mapping.buffer));
    });
  }

  #giveBack(): void {
    this.#looking = false;
    if (this.#connection.destroyed) return;
    try {
      sendLine(descriptorOf(this.#connection), { done: true });
    } catch {
      // The server is gone, or does not listen: no other frame will come.
      endConnection(this.#connection);
    }
  }

  /** @throws {DmaBufError} `EPROTO`: the connection is ended then. */
  #heard(line: object): void {
    const { place, end, failed, code } = line as { place?: unknown; end?: unknown; failed?: unknown; code?: unknown };
    const isDue = !this.#looking && this.#told.length === 0;
    if (typeof place === "number" && this.#mappings[place] !== undefined && isDue) this.#told.push(place);
    else if (end === true) this.#ended = {};
    else if (code !== undefined) this.#ended = { error: remoteError("The server of the stream", line) };
    else if (failed !== undefined) this.#ended = { error: remoteError("The server of the stream", failed ?? {}) };
    else throw new DmaBufError("EPROTO", "Cannot understand what the server of the stream has said");
    this.#wake();
  }
}

function checkServed(line: object): ServedStream {
  const { visitor, name, format, buffers, bytes, policy } = line as Partial<ServedStream> & { visitor?: unknown };
  checkVersion(visitor, "Cannot look at the stream");
  const damage = formatDamage(format);
  if (damage !== undefined)
    throw new DmaBufError("EPROTO", `Cannot look at the stream: it is served with a damaged format: ${damage}`);
  if (
    typeof name !== "string" ||
    !isCount(buffers) ||
    buffers === 0 ||
    !isCount(bytes) ||
    bytes === 0 ||
    !POLICY.isKind(policy)
  ) {
    throw new DmaBufError("EPROTO", "Cannot look at the stream: it is served with words that cannot be understood");
  }
  if (bytes < frameBufferSize(format!, 0)) {
    throw new DmaBufError("EPROTO", `Cannot look at the stream: no frame fits into its buffers of ${bytes} bytes`);
  }
  return { name, format: format!, buffers, bytes, policy: policy! };
}
