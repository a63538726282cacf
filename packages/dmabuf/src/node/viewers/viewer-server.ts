import type { Socket } from "node:net";
import { integer, type Kinds } from "../../arguments.js";
import { DmaBufError } from "../../errors.js";
import type { Host } from "../../host/host.js";
import type { Consumer } from "../../stream/consumer.js";
import { bufferUnder, type Frame } from "../../stream/frame.js";
import { endOf, type FrameStream } from "../../stream/frame-stream.js";
import { POLICY, type Policy } from "../../stream/stream-slot.js";
import type { FileStorage } from "../memory/file-storage.js";
import { Gate } from "../joining/listening-socket.js";
import { USERS } from "../joining/join-options.js";
import { KnownUsers } from "../joining/known-users.js";
import { sendLine } from "../joining/json-lines.js";
import { Reception } from "../joining/acceptor.js";
import { descriptorOf } from "../joining/socket-descriptor.js";

/**
 * A stream shown to guests: processes that may only look. A guest gets the frames' memory through descriptors that cannot
 * write, and nothing else: no control segment, no other buffer. This member consumes the stream for it.
 *
 * viewer-server.1. For each guest there is a consumer of this member's, which holds a frame while the guest looks at
 *      it; it ends with the connection.
 * viewer-server.2. A guest has one frame at a time, and gets the next one when it has given that back: however it
 *      behaves, it can keep one buffer of the ring, and no more. How many guests there may be has a limit.
 * viewer-server.3. A guest sends words and no descriptors: see acceptor.3.
 */
export interface ServeViewersOptions {
  /** Which users may look, by their numbers, beside this one's and root. Default: none. */
  readonly users?: readonly number[];
  /** How many guests at the same time. Default 8. */
  readonly guests?: number;
  /** What happens when a guest is slower than the producer. Default "newest": it loses frames, and holds up nobody. */
  readonly policy?: Policy;
}

export const SHOW: Kinds<ServeViewersOptions> = { users: USERS, guests: integer(0), policy: POLICY };

/** What a guest is told first; the descriptors of the buffers come with it. */
export interface ShownStream {
  readonly name: string;
  readonly format: FrameStream["format"];
  readonly buffers: number;
  /** Bytes of each buffer: a frame and its metadata. */
  readonly bytes: number;
}

interface ShowCallbacks {
  readonly host: Host;
  readonly closed: () => void;
}

const MOST_GUESTS = 8;

export class ViewerServer implements Disposable {
  readonly #stream: FrameStream;
  readonly #options: ServeViewersOptions;
  readonly #guests = new Map<Socket, ShownTo>();
  readonly #reception: Reception;
  readonly #gate: Gate;
  readonly #closed: () => void;

  /** @internal Made by `ProcessDomain.serveViewers()`. */
  constructor(where: string, stream: FrameStream, options: ServeViewersOptions, { host, closed }: ShowCallbacks) {
    this.#stream = stream;
    this.#options = options;
    this.#closed = closed;
    this.#reception = new Reception({
      users: new KnownUsers(options.users),
      refusal: "Cannot look at the stream",
      admit: (connection, application) => this.#admit(connection, application),
      hungUp: (connection) => {
        this.#guests.get(connection)?.end();
        this.#guests.delete(connection);
      },
      host,
    });
    this.#gate = new Gate(where, this.#reception);
  }

  /** How many guests look. */
  get viewers(): number {
    return this.#guests.size;
  }

  close(): void {
    this.#gate.close();
    this.#reception.close();
    this.#closed();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #admit(connection: Socket, application: object): (line: object) => void {
    if ((application as { readonly guest?: unknown }).guest !== true) {
      throw new DmaBufError(
        "EPROTO",
        "Cannot show the stream: whoever has come is no guest; no domain can be joined here",
      );
    }
    const { guests = MOST_GUESTS, policy = "newest" } = this.#options;
    if (this.#guests.size >= guests) {
      throw new DmaBufError("ENOSPC", `Cannot show the stream: ${guests} guests look at it already (option "guests")`);
    }
    const { name, format } = this.#stream;
    const { buffers } = endOf(this.#stream);
    const descriptors = buffers.flatMap(({ storage }) => (storage as FileStorage).descriptors("read"));
    const shown: ShownStream = {
      name,
      format,
      buffers: buffers.length,
      bytes: buffers[0]!.storage.segments[0]!.length,
    };
    const consumer = this.#stream.frames({ policy });
    try {
      sendLine(descriptorOf(connection), shown, descriptors);
    } catch (error) {
      consumer[Symbol.dispose]();
      throw error;
    }
    const guest = new ShownTo(connection, consumer, (frame) => buffers.indexOf(bufferUnder(frame)!));
    this.#guests.set(connection, guest);
    return (line) => guest.hear(line);
  }
}

/** One guest. */
class ShownTo {
  readonly #connection: Socket;
  readonly #consumer: Consumer;
  readonly #placeOf: (frame: Frame) => number;
  #frame: Frame | undefined;

  constructor(connection: Socket, consumer: Consumer, placeOf: (frame: Frame) => number) {
    this.#connection = connection;
    this.#consumer = consumer;
    this.#placeOf = placeOf;
    void this.#next();
  }

  /** The guest says that it has looked enough at its frame. @throws {DmaBufError} `EPROTO` if it has none. */
  hear(line: object): void {
    if ((line as { readonly done?: unknown }).done !== true) {
      throw new DmaBufError("EPROTO", "A guest has said what cannot be understood");
    }
    if (this.#frame === undefined) throw new DmaBufError("EPROTO", "A guest has given back what it has not");
    this.#frame[Symbol.dispose]();
    this.#frame = undefined;
    void this.#next();
  }

  end(): void {
    this.#frame = undefined;
    this.#consumer[Symbol.dispose]();
  }

  async #next(): Promise<void> {
    try {
      this.#frame = await this.#consumer.next({ unref: true });
      if (this.#connection.destroyed) return this.end();
      if (this.#frame === undefined) this.#tell({ end: true });
      else this.#tell({ place: this.#placeOf(this.#frame) });
    } catch (error) {
      const failure = error instanceof DmaBufError ? error : new DmaBufError("EIO", String(error));
      this.#tell({ failed: failure.toPlain() });
    }
  }

  #tell(line: object): void {
    if (!this.#connection.destroyed) this.#connection.write(`${JSON.stringify(line)}\n`);
  }
}
