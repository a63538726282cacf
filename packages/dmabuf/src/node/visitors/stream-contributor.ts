import { allOrNothing } from "../../all-or-nothing.js";
import { ABORT_SIGNAL, check, checkOptions, ERROR_CODE, isCount, NAME, TIMEOUT, type Kinds } from "../../arguments.js";
import { Held, HeldList, owned } from "../../domain/held.js";
import { decode } from "../../domain/text.js";
import { waitUntil } from "../../domain/wait.js";
import { DmaBufError, type ErrorCode } from "../../errors.js";
import { wantsDebug } from "../../host/environment.js";
import { each } from "../../stream/each.js";
import type { FrameFormat } from "../../stream/format.js";
import {
  encodeOptions,
  FrameBytes,
  givenBack,
  planesOf,
  viewsIn,
  type Plane,
  type PublishOptions,
} from "../../stream/frame.js";
import type { JsonValue } from "../../stream/metadata.js";
import { decodePicture } from "../../stream/picture.js";
import { formatDamage } from "../../stream/received-format.js";
import { frameBufferSize } from "../../stream/stream-handle.js";
import { STREAM_BUFFERS } from "../../domain/layout.js";
import { DescriptorLines } from "../connecting/descriptor-lines.js";
import { LONGEST_LINE, remoteError, type Refusal } from "../connecting/json-lines.js";
import { KnownUsers } from "../connecting/known-users.js";
import { connectInTime } from "../connecting/listening-socket.js";
import { processHost } from "../host.js";
import { checkPlace, USERS } from "../joining/join-options.js";
import { threadLedger } from "../resources/thread-ledger.js";
import { BlankMemory } from "./blank-memory.js";
import type { ServedBlanks } from "./contributor-server.js";
import { checkVersion, helloOf } from "./visitor-words.js";

/** Options of {@link StreamContributor.connect}. */
export interface ConnectContributorOptions {
  /** The numbers of the users whose stream it may be, beside this user and root. Default: none. */
  readonly users?: readonly number[];
  /** Milliseconds to wait for an answer. Default 5,000. */
  readonly timeout?: number;
  /** Ends the wait for an answer. */
  readonly signal?: AbortSignal;
  /** What this contributor calls itself, for people. At most 31 bytes of UTF-8. */
  readonly name?: string;
}

/** How long a loan is waited for. */
export interface ContributorWaitOptions {
  /** Milliseconds. Default: no limit. */
  readonly timeout?: number;
  /** Ends the wait, which then rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined;
}

const CONNECT_CONTRIBUTOR: Kinds<ConnectContributorOptions> = {
  users: USERS,
  timeout: TIMEOUT,
  signal: ABORT_SIGNAL,
  name: NAME,
};
const LOAN: Kinds<ContributorWaitOptions> = { timeout: TIMEOUT, signal: ABORT_SIGNAL };

const CONNECT_TIMEOUT = 5_000;
const ACTION = "Cannot contribute to the stream";
const SERVER = "The server of the stream";

/** What a loan says when it is given back. */
type GivenBack = { readonly publish: object } | { readonly drop: true };

let makeContributedLoan: (held: Held, parts: LoanParts, whole: Uint8Array) => ContributedLoan;

interface LoanParts {
  readonly format: FrameFormat;
  readonly dataBytes: number;
  /** Gives it back, and publishes it. */
  readonly publish: (words: GivenBack) => Promise<number>;
}

/** What travels with a contributor's frame: its number is the stream's own. */
export type ContributionOptions = Omit<PublishOptions, "sequence" | "missed">;

/**
 * A frame to be filled by a contributor, until it is published or closed.
 *
 * @example
 * ```ts
 * import { rawFormat } from "dmabuf";
 * import { ProcessDomain, StreamContributor } from "dmabuf/node";
 *
 * using domain = ProcessDomain.create();
 * using stream = domain.createStream({ format: rawFormat(4) });
 * using _server = domain.serveContributors("@loans-of-example", stream);
 * // Mostly in another process:
 * using contributor = await StreamContributor.connect("@loans-of-example");
 * using loan = await contributor.loan();
 * loan?.bytes.fill(7);
 * console.log(await loan?.publish({ data: { exposure: 8 } })); // 0
 * ```
 */
export class ContributedLoan extends FrameBytes {
  readonly format: FrameFormat;
  readonly #held: Held;
  readonly #parts: LoanParts;
  readonly #whole: Uint8Array;
  #planes: readonly [Plane, ...Plane[]] | undefined;

  private constructor(held: Held, parts: LoanParts, whole: Uint8Array) {
    super();
    this.format = parts.format;
    this.#held = held;
    this.#parts = parts;
    this.#whole = whole;
  }

  static {
    makeContributedLoan = (held, parts, whole) =>
      owned(held, new ContributedLoan(held, parts, whole), (loan) => viewsIn(loan.#whole, loan.#planes));
  }

  override get bytes(): Uint8Array {
    if (this.#held.isOver) throw givenBack();
    return this.#whole;
  }

  override get planes(): readonly [Plane, ...Plane[]] {
    return (this.#planes ??= planesOf(this, this.bytes, this.#held));
  }

  /**
   * Hands the frame to the stream: its memory is not this process's any more. What is written to views that are left changes no
   * frame.
   *
   * @returns The frame's sequence number, once it is published.
   * @throws {DmaBufError} `EOVERFLOW` if the data are too long (the loan stays); `EPIPE` if the stream has ended; `EBUSY` if another
   *   process has memory of this loan; `ECONNRESET` if the process that served the stream is gone; `EBADF` if it was published
   *   or given back.
   * @throws {TypeError | RangeError} As {@link Loan.publish}; the loan stays.
   */
  async publish(options: ContributionOptions = {}): Promise<number> {
    void this.bytes;
    const words = wordsOf(options, this.#parts);
    // After the last of the user's code, which may have given this loan back.
    void this.bytes;
    return this.#parts.publish(words);
  }

  override close(): void {
    this.#held.end();
  }
}

/** Whether a contributor has a blank, or is about to. */
type State =
  | { readonly is: "idle" }
  | { readonly is: "asked" }
  | { readonly is: "offered"; readonly place: number; readonly memory: Uint8Array }
  | { readonly is: "lent" }
  | { readonly is: "given back"; answer?: number | DmaBufError };

const IDLE: State = { is: "idle" };

/**
 * A process that may fill a stream's frames and do nothing else: it has joined no domain, it has the memory of one frame at a
 * time, and its end gives back what it held. One call of {@link loan} after the other is answered.
 *
 * @example
 * ```ts
 * import { rawFormat } from "dmabuf";
 * import { ProcessDomain, StreamContributor } from "dmabuf/node";
 *
 * using domain = ProcessDomain.create();
 * using stream = domain.createStream({ name: "camera", format: rawFormat(4) });
 * using consumer = stream.frames();
 * using server = domain.serveContributors("@camera-to-fill-of-example", stream);
 * // Mostly in another process:
 * using contributor = await StreamContributor.connect("@camera-to-fill-of-example");
 * using loan = await contributor.loan();
 * loan?.bytes.fill(7);
 * console.log(await loan?.publish({ timestamp: 0.04 }), server.contributors); // 0 1
 * using frame = await consumer.next();
 * console.log(frame?.bytes); // Uint8Array [7, 7, 7, 7]
 * ```
 */
export class StreamContributor implements Disposable {
  /** The stream's name. */
  readonly name: string;
  /** The format of all of its frames. */
  readonly format: FrameFormat;
  /** How many bytes of JSON a frame may carry; a line of the protocol, with all else in it, has at most 64 KiB. */
  readonly dataBytes: number;
  readonly #lines: DescriptorLines;
  readonly #memory: BlankMemory;
  readonly #list = new HeldList(processHost(), wantsDebug());
  #state: State = IDLE;
  #ended: { readonly error?: DmaBufError } | undefined;
  /** How many calls wait for a loan. */
  #wanting = 0;
  readonly #looks = new Set<() => void>();

  private constructor(lines: DescriptorLines, { name, format, bytes, dataBytes }: ServedBlanks) {
    this.name = name;
    this.format = format;
    this.dataBytes = dataBytes;
    this.#lines = lines;
    this.#memory = new BlankMemory(threadLedger(), format.size, bytes);
  }

  /**
   * Begins to contribute to the stream that is served there.
   *
   * @param where A path, or "@" and an abstract name.
   * @throws {DmaBufError} `ECONNREFUSED` or `ENOENT` if no process serves anything there; `EACCES` if this user may not
   *   contribute, or if the server's user is not among `users`; `ENOSPC` if there are too many contributors; `ETIMEDOUT` if no
   *   answer comes in time; `EPROTO` if this is no stream for contributors; `EMFILE` if there is no descriptor left. The
   *   signal's reason if it aborts.
   */
  static async connect(where: string, options: ConnectContributorOptions = {}): Promise<StreamContributor> {
    checkPlace("StreamContributor.connect()", where);
    checkOptions("StreamContributor.connect()", options, CONNECT_CONTRIBUTOR);
    const { timeout = CONNECT_TIMEOUT, signal, users, name } = options;
    const end = performance.now() + timeout;
    const fd = await connectInTime({ where, users: new KnownUsers(users), action: ACTION }, { end, signal });
    const server = new Listener();
    const ledger = threadLedger();
    const lines = new DescriptorLines(
      ledger.open(() => fd),
      `The stream at ${where}`,
      ledger,
      server,
    );
    return allOrNothing(async (orUndo) => {
      orUndo(() => lines.close());
      server.say(lines, helloOf("contributor", { name }));
      const left = Math.max(0, end - performance.now());
      const served = checkServed(await server.greeting(`The stream at ${where}`, { timeout: left, signal }));
      const contributor = new StreamContributor(lines, served);
      server.handlers = { heard: (line) => contributor.#heard(line), ended: (error) => contributor.#over({ error }) };
      return contributor;
    });
  }

  /**
   * Loans to fill and publish, one after the other, until the stream is ended.
   *
   * @throws {DmaBufError} As {@link loan}.
   */
  loans(options: ContributorWaitOptions = {}): AsyncGenerator<ContributedLoan, void, undefined> {
    checkOptions("StreamContributor.loans()", options, LOAN);
    return each(() => this.loan(options));
  }

  /**
   * The next loan to fill; `undefined` once the stream has ended, or this end was closed. There is one at a time: it waits until
   * the last one is given back.
   *
   * @throws {DmaBufError} `ETIMEDOUT` if the time passed first; `ECONNRESET` if the process that served the stream is gone; what
   *   it refuses with. The signal's reason if it aborts.
   */
  async loan(options: ContributorWaitOptions = {}): Promise<ContributedLoan | undefined> {
    checkOptions("StreamContributor.loan()", options, LOAN);
    const { timeout = Infinity, signal } = options;
    const end = performance.now() + timeout;
    this.#wanting += 1;
    try {
      for (;;) {
        this.#ask();
        const ready = (): boolean =>
          this.#state.is === "offered" || this.#ended !== undefined || this.#state.is === "idle";
        const left = Math.max(0, end - performance.now());
        if (!(await this.#until(ready, { timeout: left, signal }))) {
          throw new DmaBufError("ETIMEDOUT", `No blank of stream "${this.name}" came in ${timeout} ms`);
        }
        if (this.#state.is === "offered") return this.#lend(this.#state);
        if (this.#ended?.error !== undefined) throw this.#ended.error;
        if (this.#ended !== undefined) return undefined;
      }
    } finally {
      this.#wanting -= 1;
      this.#drop();
    }
  }

  /**
   * Says that no further frame comes from here, and leaves. With the server's option `ends` it ends the stream.
   */
  end(): void {
    this.#leave({ end: true });
  }

  /** As {@link end}, but with the server's option `ends` the stream fails with this error. */
  fail(code: ErrorCode): void {
    check("StreamContributor.fail()", "code", code, ERROR_CODE);
    this.#leave({ fail: { code } });
  }

  /**
   * Leaves without a word, as a process does that dies: with the server's option `ends` the stream fails with `ESRCH`. A loan that
   * was not published is given back; a `loan()` that waits gets `undefined`. Twice does nothing.
   */
  close(): void {
    this.#over({});
    this.#memory.end();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #leave(words: object): void {
    if (this.#ended === undefined) {
      this.#memory.end();
      this.#trySay(words);
    }
    this.close();
  }

  #ask(): void {
    if (this.#state.is !== "idle" || this.#ended !== undefined) return;
    this.#state = { is: "asked" };
    this.#trySay({ loan: true });
  }

  /** Gives back what was offered, if no call wants it any more. */
  #drop(): void {
    if (this.#state.is !== "offered" || this.#wanting > 0) return;
    this.#giveBack(this.#state.place, { drop: true });
  }

  #lend({ place, memory }: Extract<State, { is: "offered" }>): ContributedLoan {
    this.#state = { is: "lent" };
    let words: GivenBack = { drop: true };
    const held: Held = new Held(
      this.#list,
      () => (this.#ended === undefined ? `A loan of stream "${this.name}"` : undefined),
      () => this.#giveBack(place, words),
    );
    const publish = async (publication: GivenBack): Promise<number> => {
      words = publication;
      held.end();
      return this.#answer();
    };
    return makeContributedLoan(held, { format: this.format, dataBytes: this.dataBytes, publish }, memory);
  }

  /** The memory first: the server asks the kernel whether it is still here. */
  #giveBack(place: number, words: GivenBack): void {
    try {
      this.#memory.close(place);
    } catch (error) {
      return this.#over({ error: error as DmaBufError });
    }
    if (this.#ended !== undefined) return;
    this.#state = { is: "given back" };
    this.#trySay(words);
  }

  async #answer(): Promise<number> {
    const state = this.#state;
    const ready = (): boolean => this.#ended !== undefined || (state.is === "given back" && state.answer !== undefined);
    await this.#until(ready, {});
    const answer = state.is === "given back" ? state.answer : undefined;
    if (typeof answer === "number") return answer;
    throw answer ?? this.#ended?.error ?? new DmaBufError("EBADF", `Cannot publish the frame: ${HERE}`);
  }

  /** @throws {DmaBufError} `EPROTO`: the connection is ended then. */
  #heard(line: object): void {
    const { blank, published, dropped, refused, end, code } = line as Readonly<Record<string, unknown>>;
    const state = this.#state;
    if (code !== undefined) this.#over({ error: remoteError(SERVER, line) });
    else if (state.is === "asked" && isCount(blank) && blank < STREAM_BUFFERS) this.#offered(blank);
    else if (state.is === "asked" && end === true) this.#over({});
    else if (state.is === "given back" && isCount(published)) this.#answered(state, published);
    else if (state.is === "given back" && dropped === true) this.#answered(state, 0);
    else if (state.is === "given back" && refused !== undefined)
      this.#answered(state, remoteError(SERVER, refused ?? {}));
    else throw new DmaBufError("EPROTO", `${ACTION}: what its server has said cannot be understood`);
    this.#wake();
  }

  #offered(place: number): void {
    const file = this.#lines.takeFile();
    if (file === undefined) throw new DmaBufError("EPROTO", `${ACTION}: a blank has come without its memory`);
    const mapping = this.#memory.open(place, file);
    this.#state = { is: "offered", place, memory: new Uint8Array(mapping.buffer, 0, this.format.size) };
    this.#drop();
  }

  #answered(state: Extract<State, { is: "given back" }>, answer: number | DmaBufError): void {
    state.answer = answer;
    this.#state = IDLE;
    if (this.#wanting > 0) this.#ask();
  }

  /** The first end counts. */
  #over(ended: { readonly error?: DmaBufError }): void {
    this.#lines.close();
    if (this.#ended !== undefined) return;
    this.#ended = ended;
    // No call gets it any more.
    if (this.#state.is === "offered") this.#giveBack(this.#state.place, { drop: true });
    this.#wake();
  }

  /** What cannot be said ends the connection. */
  #trySay(words: object): void {
    try {
      this.#lines.say(words);
    } catch (error) {
      if (!hasHungUp(error)) this.#over({ error: error as DmaBufError });
    }
  }

  async #until(ready: () => boolean, { timeout = Infinity, signal }: ContributorWaitOptions): Promise<boolean> {
    const subscribe = (done: () => void): (() => void) => {
      this.#looks.add(done);
      return () => this.#looks.delete(done);
    };
    const end = performance.now() + timeout;
    // Another call may have taken what all were woken for.
    while (!ready()) {
      const left = Math.max(0, end - performance.now());
      if (!(await waitUntil({ host: processHost() }, { signal, timeout: left }, ready, subscribe))) return false;
    }
    return true;
  }

  #wake(): void {
    for (const look of [...this.#looks]) look();
  }
}

const HERE = "its contributor was closed";

/** Whether the server has ended the connection: it may have said why, and its end is heard where that is. */
function hasHungUp(error: unknown): boolean {
  const { code } = error as DmaBufError;
  return code === "EPIPE" || code === "ECONNRESET";
}

/** Hears the greeting; then what its contributor does. */
class Listener {
  handlers: { heard(line: object): void; ended(error: DmaBufError): void } | undefined;
  #first: object | undefined;
  #error: DmaBufError | undefined;
  #look: (() => void) | undefined;

  heard(line: object): void {
    if (this.handlers !== undefined) return this.handlers.heard(line);
    if (this.#first !== undefined) throw new DmaBufError("EPROTO", `${SERVER} says too much`);
    this.#first = line;
    this.#look?.();
  }

  ended(error: DmaBufError): void {
    if (this.handlers !== undefined) return this.handlers.ended(error);
    this.#error = error;
    this.#look?.();
  }

  /** Says what this side wants. A server that has hung up may have said why. */
  say(lines: DescriptorLines, hello: object): void {
    try {
      lines.say(hello);
    } catch (error) {
      if (!hasHungUp(error)) throw error;
    }
  }

  async greeting(where: string, { timeout = CONNECT_TIMEOUT, signal }: ContributorWaitOptions): Promise<object> {
    const ready = (): boolean => this.#first !== undefined || this.#error !== undefined;
    const subscribe = (done: () => void): (() => void) => {
      this.#look = done;
      return () => (this.#look = undefined);
    };
    if (!(await waitUntil({ host: processHost() }, { timeout, signal }, ready, subscribe))) {
      throw new DmaBufError("ETIMEDOUT", `${where} does not answer`);
    }
    if (this.#first === undefined) throw this.#error!;
    if ((this.#first as Refusal).code !== undefined) throw remoteError(where, this.#first);
    // It may have gone, or said too much, in the same piece.
    if (this.#error !== undefined) throw this.#error;
    return this.#first;
  }
}

function checkServed(line: object): ServedBlanks {
  const { visitor, name, format, bytes, dataBytes } = line as Partial<ServedBlanks> & { readonly visitor?: unknown };
  checkVersion(visitor, ACTION);
  const damage = formatDamage(format);
  if (damage !== undefined) throw new DmaBufError("EPROTO", `${ACTION}: it is served with a damaged format: ${damage}`);
  if (typeof name !== "string" || !isCount(bytes) || bytes === 0 || !isCount(dataBytes)) {
    throw new DmaBufError("EPROTO", `${ACTION}: it is served with words that cannot be understood`);
  }
  if (bytes < frameBufferSize(format!, dataBytes)) {
    throw new DmaBufError("EPROTO", `${ACTION}: no frame fits into its buffers of ${bytes} bytes`);
  }
  return { name, format: format!, bytes, dataBytes };
}

/** @throws {DmaBufError} `EOVERFLOW` if they do not fit a line. @throws What `Loan.publish()` throws for its options. */
function wordsOf(options: ContributionOptions, parts: LoanParts): GivenBack {
  const { timestamp, length, encoded, shown } = encodeOptions(options, parts);
  const data = encoded && (JSON.parse(decode(encoded)) as JsonValue);
  const words = { publish: { timestamp, length, data, picture: shown && decodePicture([...shown], parts.format) } };
  const bytes = Buffer.byteLength(JSON.stringify(words));
  if (bytes < LONGEST_LINE) return words;
  throw new DmaBufError(
    "EOVERFLOW",
    `Cannot publish the frame: with its data a line has ${bytes} bytes, ${LONGEST_LINE} are allowed`,
  );
}
