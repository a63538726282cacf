import type { Socket } from "node:net";
import { allOrNothing } from "../../all-or-nothing.js";
import { integer, listOf, NAME, type Kinds } from "../../arguments.js";
import { DmaBufError } from "../../errors.js";
import type { Consumer } from "../../stream/consumer.js";
import { bufferUnder, type Frame } from "../../stream/frame.js";
import { endOf, type FrameStream } from "../../stream/frame-stream.js";
import { POLICY, type Policy } from "../../stream/stream-slot.js";
import type { FileStorage } from "../memory/file-storage.js";
import { USERS } from "../joining/join-options.js";
import { printable, sendLine } from "../connecting/json-lines.js";
import { descriptorOf } from "../resources/socket-descriptor.js";
import { sayOrEnd } from "./session-lines.js";
import type { ServiceParts, VisitorService } from "./visitor-service.js";
import { VisitorSessions } from "./visitor-sessions.js";
import { greetingOf, readHello, type Wishes } from "./visitor-words.js";

/**
 * A stream for viewers: processes that may only look at it. A viewer gets the frames' memory through descriptors that
 * cannot write, and nothing else: no control segment, no other buffer. This member consumes the stream for it.
 *
 * viewer-server.1. For each viewer there is a consumer of this member's, which holds a frame while the viewer looks at
 *      it; it ends with the connection.
 * viewer-server.2. A viewer has one frame at a time, and gets the next one when it has given that back: however it
 *      behaves, it can keep one buffer of the ring, and no more. The number of viewers has a limit.
 * viewer-server.3. A viewer sends words and no descriptors: see acceptor.3.
 * viewer-server.4. What is said to a viewer is said at once, or it loses its connection: one that does not read keeps no memory
 *      here.
 * viewer-server.5. A viewer gets the policy and the group that it asks for only if a member has allowed it.
 */

/** Options of `ProcessDomain.serveViewers()`. */
export interface ServeViewersOptions {
  /** The numbers of the users whose processes may look, beside this user and root. Default: none. */
  readonly users?: readonly number[];
  /** How many viewers at the same time. Default 8. */
  readonly viewers?: number;
  /** What happens when a viewer is slower than the producer. Default "newest": it loses frames, and holds up no other. */
  readonly policy?: Policy;
  /** The name of a group: viewers share the work, as consumers do. Default: each viewer gets every frame. */
  readonly group?: string;
  /**
   * Which other policies viewers may ask for. Default: "newest" and "drop-oldest". With "block" among them a viewer holds the
   * producer up for as long as it likes.
   */
  readonly policies?: readonly Policy[];
  /** Which other groups viewers may ask for. Default: none. */
  readonly groups?: readonly string[];
}

const KINDS: Kinds<ServeViewersOptions> = {
  users: USERS,
  viewers: integer(0),
  policy: POLICY,
  group: NAME,
  policies: listOf("policies", POLICY),
  groups: listOf("names of groups, each of at most 31 bytes of UTF-8", NAME),
};
const DEFAULT_POLICIES: readonly Policy[] = ["newest", "drop-oldest"];

/** What a viewer is told first; the descriptors of the buffers come with it. */
export interface ServedStream {
  readonly name: string;
  readonly format: FrameStream["format"];
  readonly buffers: number;
  /** Bytes of each buffer: a frame and its metadata. */
  readonly bytes: number;
  /** That which the viewer has. */
  readonly policy: Policy;
}

const DEFAULT_VIEWERS = 8;

/** Of `ProcessDomain.serveViewers()`. */
export let VIEWER_SERVICE: VisitorService<ServeViewersOptions, ViewerServer>;

/**
 * Serves a stream to viewers at one place, until it is closed or the domain is left.
 *
 * @example
 * ```ts
 * import { rawFormat } from "dmabuf";
 * import { ProcessDomain } from "dmabuf/node";
 *
 * using domain = ProcessDomain.create();
 * using stream = domain.createStream({ name: "camera", format: rawFormat(64) });
 * using server = domain.serveViewers("@viewers-of-example", stream, { viewers: 2 });
 * console.log(server.viewers); // 0: StreamViewer.connect() makes one
 * ```
 */
export class ViewerServer implements Disposable {
  readonly #stream: FrameStream;
  readonly #options: ServeViewersOptions;
  readonly #viewers: VisitorSessions<ViewerSession>;

  static {
    VIEWER_SERVICE = {
      kinds: KINDS,
      make: (where, stream, options, parts) => new ViewerServer(where, stream, options, parts),
    };
  }

  private constructor(where: string, stream: FrameStream, options: ServeViewersOptions, parts: ServiceParts) {
    const { users, viewers = DEFAULT_VIEWERS } = options;
    this.#stream = stream;
    this.#options = options;
    const admission = {
      users,
      most: viewers,
      refusal: "Cannot look at the stream",
      full: `Cannot show the stream: ${viewers} look at it already (option "viewers")`,
      admit: (connection: Socket, request: object) => this.#admit(connection, request),
    };
    this.#viewers = new VisitorSessions(where, admission, parts);
  }

  /** How many viewers look at the stream now. */
  get viewers(): number {
    return this.#viewers.count;
  }

  /** Accepts no more viewers, and ends the connections of those there are: their next frame is `ECONNRESET`. */
  close(): void {
    this.#viewers.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #admit(connection: Socket, request: object): ViewerSession {
    const { policy, group } = this.#allowed(readHello(request, "viewer"));
    const { name, format } = this.#stream;
    const { buffers } = endOf(this.#stream);
    const descriptors = buffers.flatMap(({ storage }) => (storage as FileStorage).descriptors("read"));
    const shown: ServedStream = {
      name,
      format,
      buffers: buffers.length,
      bytes: buffers[0]!.storage.segments[0]!.length,
      policy,
    };
    const consumer = allOrNothing((orUndo) => {
      const made = this.#stream.frames({ policy, ...(group !== undefined && { group }) });
      orUndo(() => made[Symbol.dispose]());
      sendLine(descriptorOf(connection), greetingOf(shown), descriptors);
      return made;
    });
    return new ViewerSession(connection, consumer, (frame) => buffers.indexOf(bufferUnder(frame)!));
  }

  /** What a viewer gets of what it wishes for. @throws {DmaBufError} `EACCES` if no member has allowed it. */
  #allowed(wishes: Wishes): { readonly policy: Policy; readonly group: string | undefined } {
    const { policies = DEFAULT_POLICIES, groups = [], ...own } = this.#options;
    const { policy = own.policy ?? "newest", group = own.group } = wishes;
    if (policy !== (own.policy ?? "newest") && !policies.includes(policy))
      throw notAllowed("policy", policy, "policies");
    if (group !== undefined && group !== own.group && !groups.includes(group))
      throw notAllowed("group", group, "groups");
    return { policy, group };
  }
}

function notAllowed(what: string, wish: string, option: string): DmaBufError {
  const text = `Cannot show the stream with ${what} "${printable(wish)}": it is not allowed (option "${option}")`;
  return new DmaBufError("EACCES", text);
}

/** One viewer. */
class ViewerSession {
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

  /** The viewer says that it has looked enough at its frame. @throws {DmaBufError} `EPROTO` if it has none. */
  hear(line: object): void {
    if ((line as { readonly done?: unknown }).done !== true) {
      throw new DmaBufError("EPROTO", "Cannot understand what a viewer has said");
    }
    if (this.#frame === undefined)
      throw new DmaBufError("EPROTO", "Cannot take back a frame that the viewer does not have");
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
    sayOrEnd(this.#connection, line);
  }
}
