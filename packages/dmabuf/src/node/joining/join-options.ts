import { ABORT_SIGNAL, check, integer, isText, listOf, NAME, TIMEOUT, type Kind, type Kinds } from "../../arguments.js";
import { SIZES, type Sizes } from "../../domain/layout.js";
import { JOIN, type JoinOptions } from "../../join-options.js";

/** Options of a new domain of processes. */
export interface ListenOptions extends Partial<Sizes>, JoinOptions {
  /** This thread's name, for people; at most 31 bytes of UTF-8. Default: the process's number. */
  readonly name?: string;
  /**
   * Other users whose processes may be members beside this user's and root's, by their numbers: they are trusted with
   * everything in the domain. Default: none.
   */
  readonly users?: readonly number[];
}

/** Options of joining a domain of processes. */
export interface ConnectOptions extends JoinOptions {
  /** As in {@link ListenOptions}. */
  readonly name?: string;
  /** Milliseconds to wait for an answer. Default 5,000. */
  readonly timeout?: number;
  /** Ends the wait for an answer. */
  readonly signal?: AbortSignal;
  /** As in {@link ListenOptions}; also whose domain it may be that this process joins. */
  readonly users?: readonly number[];
}

/** Options of joining the domain of the process or thread that has started this one. */
export interface InheritOptions extends ConnectOptions {
  /**
   * The number, in this process, of the descriptor that `inviteProcess()` has given. Default: what `fork()` or
   * `shareWithWorkers()` has left for this process or thread.
   */
  readonly descriptor?: number;
}

/** Users by their numbers. */
export const USERS = listOf("the numbers of users", integer(0));

export const LISTEN: Kinds<ListenOptions> = { ...SIZES, ...JOIN, name: NAME, users: USERS };

export const CONNECT: Kinds<ConnectOptions> = {
  ...JOIN,
  name: NAME,
  timeout: TIMEOUT,
  signal: ABORT_SIGNAL,
  users: USERS,
};

export const INHERIT: Kinds<InheritOptions> = { ...CONNECT, descriptor: integer(0, 0x7fff_ffff) };

/** What the kernel has room for. */
const PLACE_BYTES = 107;

const PLACE: Kind = {
  wanted: `a path for a socket, or "@" and a name, of at most ${PLACE_BYTES} bytes`,
  isKind: (value) => typeof value === "string",
  isTaken(where: string) {
    const name = where.startsWith("@") ? where.slice(1) : where;
    return name !== "" && isText(name) && Buffer.byteLength(name) <= PLACE_BYTES;
  },
};

/** Looks at the place of a socket. */
export function checkPlace(call: string, where: string): void {
  check(call, "where", where, PLACE);
}
