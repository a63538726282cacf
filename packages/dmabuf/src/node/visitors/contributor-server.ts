import type { Socket } from "node:net";
import { FLAG, integer, type Kinds } from "../../arguments.js";
import { DmaBufError, type ErrorCode } from "../../errors.js";
import { endOf, type FrameStream } from "../../stream/frame-stream.js";
import { sendLine } from "../connecting/json-lines.js";
import { USERS } from "../joining/join-options.js";
import { descriptorOf } from "../resources/socket-descriptor.js";
import type { ResourceLedger } from "../resources/resource-ledger.js";
import { ContributorSession } from "./contributor-session.js";
import { checkLendableRing } from "./lent-memory.js";
import { LentPlaces } from "./lent-places.js";
import type { ServiceParts, VisitorService } from "./visitor-service.js";
import { VisitorSessions } from "./visitor-sessions.js";
import { greetingOf, readHello } from "./visitor-words.js";

/**
 * A stream for contributors: processes that may fill its frames, and are no members. A contributor gets the memory of one
 * frame at a time, to write; this member takes the loan for it, and publishes.
 *
 * contributor-server.1. Nothing is published while the contributor could still write to it: the kernel is asked (see
 *      lent-memory.ts), and not the contributor.
 * contributor-server.2. A contributor whose memory is not back has its connection ended with `EBUSY`, and the blank is out of
 *      the ring until the kernel says that no writer is left. This is looked at again and again.
 * contributor-server.3. A contributor has one blank at a time. However contributors behave, as many blanks are out of the
 *      ring as there may be contributors, and no more: a later one waits.
 * contributor-server.4. A contributor that ends, however it does, has its blank given back unpublished. The stream goes on,
 *      unless the option `ends` says that its end is the stream's: that of one which ended without a word is `ESRCH`.
 * contributor-server.5. The metadata of a frame are written here, after the check. What a contributor says of them is checked
 *      as a producer's own; if it is wrong, the frame is refused, and the contributor goes on.
 * contributor-server.6. What is said to a contributor is said at once, or it loses its connection: one that does not read keeps
 *      no memory here.
 */

/** Options of `ProcessDomain.serveContributors()`. */
export interface ServeContributorsOptions {
  /** The numbers of the users whose processes may contribute, beside this user and root. Default: none. */
  readonly users?: readonly number[];
  /** How many contributors at the same time. So many frames of the ring, at most, are theirs. Default 1. */
  readonly contributors?: number;
  /**
   * Whether a contributor's end is the stream's: `end()` ends it, `fail()` fails it, and a contributor that is gone without either
   * fails it with `ESRCH`. Default false.
   */
  readonly ends?: boolean;
}

const KINDS: Kinds<ServeContributorsOptions> = {
  users: USERS,
  contributors: integer(0),
  ends: FLAG,
};

/** What a contributor is told first. */
export interface ServedBlanks {
  readonly name: string;
  readonly format: FrameStream["format"];
  /** Bytes of each buffer: a frame and its metadata. */
  readonly bytes: number;
  /** How many bytes of JSON a frame may carry. */
  readonly dataBytes: number;
}

const DEFAULT_CONTRIBUTORS = 1;

/** Of `ProcessDomain.serveContributors()`. */
export let CONTRIBUTOR_SERVICE: VisitorService<ServeContributorsOptions, ContributorServer>;

/**
 * Lets processes that are no members fill a stream's frames, at one place, until it is closed or the domain is left.
 *
 * @example
 * ```ts
 * import { rawFormat } from "dmabuf";
 * import { ProcessDomain } from "dmabuf/node";
 *
 * using domain = ProcessDomain.create();
 * using stream = domain.createStream({ name: "camera", format: rawFormat(64) });
 * using server = domain.serveContributors("@contributors-of-example", stream, { contributors: 2 });
 * console.log(server.contributors); // 0: StreamContributor.connect() makes one
 * ```
 */
export class ContributorServer implements Disposable {
  readonly #stream: FrameStream;
  readonly #ledger: ResourceLedger;
  readonly #ends: boolean;
  readonly #places: LentPlaces;
  readonly #contributors: VisitorSessions<ContributorSession>;
  #isClosed = false;

  static {
    CONTRIBUTOR_SERVICE = {
      kinds: KINDS,
      make: (where, stream, options, parts) => new ContributorServer(where, stream, options, parts),
    };
  }

  private constructor(where: string, stream: FrameStream, options: ServeContributorsOptions, parts: ServiceParts) {
    if (!stream.isProducer) {
      const text = `Cannot have stream "${stream.name}" filled by contributors: it belongs to another agent`;
      throw new DmaBufError("EPERM", text);
    }
    checkLendableRing(endOf(stream).buffers);
    const { users, contributors = DEFAULT_CONTRIBUTORS, ends = false } = options;
    this.#stream = stream;
    this.#ledger = parts.ledger;
    this.#ends = ends;
    this.#places = new LentPlaces(contributors, {
      isOver: () => stream.isClosed,
      warn: (message) => this.#contributors.warn(message),
    });
    const admission = {
      users,
      most: contributors,
      refusal: "Cannot contribute to the stream",
      full: `Cannot contribute to the stream: ${contributors} do already (option "contributors")`,
      admit: (connection: Socket, request: object) => this.#admit(connection, request),
    };
    this.#contributors = new VisitorSessions(where, admission, parts);
  }

  /** How many contributors there are now. */
  get contributors(): number {
    return this.#contributors.count;
  }

  /** How many blanks are not back in the ring although their contributor is gone: a process can still write to them. */
  get withheld(): number {
    return this.#places.withheld;
  }

  /** Accepts no more contributors, and ends the connections of those there are: what they have not published is lost. */
  close(): void {
    this.#isClosed = true;
    this.#contributors.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #admit(connection: Socket, request: object): ContributorSession {
    const { name: contributor = "" } = readHello(request, "contributor");
    const { name, format } = this.#stream;
    const { buffers, dataBytes } = endOf(this.#stream);
    const served: ServedBlanks = { name, format, bytes: buffers[0]!.storage.segments[0]!.length, dataBytes };
    sendLine(descriptorOf(connection), greetingOf(served));
    return new ContributorSession(connection, {
      name: contributor,
      stream: this.#stream,
      buffers,
      ledger: this.#ledger,
      places: this.#places,
      ended: (code) => this.#contributorEnded(code),
    });
  }

  /** contributor-server.4. */
  #contributorEnded(code: ErrorCode | undefined): void {
    if (!this.#ends || this.#isClosed || this.#stream.isClosed) return;
    if (code === undefined) this.#stream.end();
    else this.#stream.fail(code);
  }
}
