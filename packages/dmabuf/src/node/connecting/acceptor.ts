import type { Socket } from "node:net";
import { DmaBufError } from "../../errors.js";
import type { KnownUsers } from "./known-users.js";
import { endConnection } from "../resources/let-go.js";
import type { Host } from "../../host/host.js";
import { LimitedWarnings } from "./limited-warnings.js";
import { onLines, refuse } from "./json-lines.js";
import { descriptorOf } from "../resources/socket-descriptor.js";

/** What is done with processes that connect. */
export interface AcceptHandlers {
  readonly users: KnownUsers;
  /** What a process that is refused cannot do: "Cannot join the domain". */
  readonly refusal: string;
  /**
   * Answers the first line that the process has sent.
   *
   * @returns What hears the other lines, if there are to be any.
   * @throws {DmaBufError} Which is told to the process.
   */
  accept(connection: Socket, request: object): ((line: object) => void) | undefined;
  /** A process that was accepted is gone, or may be. */
  hungUp(connection: Socket): void;
  /** Where warnings go, and what their pauses are measured by. */
  readonly host: Pick<Host, "warn" | "after">;
}

/** Milliseconds for a peer to say what it wants. */
const REQUEST_LIMIT = 5_000;
/** So many may be silent at the same time; the one that has been silent the longest goes for another. */
const MOST_SILENT = 64;

/**
 * Accepts processes, each through a connected stream socket.
 *
 * acceptor.1. The kernel is asked for the peer's user, before anything is read: only the users that may join are
 *     listened to.
 * acceptor.2. A peer that sends what it should not, or nothing in time, loses its connection, and no other notices:
 *      no descriptor stays open for it, and those that say nothing leave room for others.
 * acceptor.3. No descriptor is taken from a process that connects: the kernel refuses it to them (since Linux 6.16, see the
 *      listening-socket.ts), and what is in a socket otherwise is released with it, which blocks no thread
 *      (let-go.ts). Before Linux 6.16 this does not hold for what a process sends that was let in: Node.js reads it.
 * acceptor.4. However many are refused, there are a few warnings with a count.
 */
export class Acceptor {
  readonly #handlers: AcceptHandlers;
  readonly #warnings: LimitedWarnings;
  readonly #connections = new Set<Socket>();
  /** In the order in which they came. */
  readonly #silent = new Set<Socket>();

  constructor(handlers: AcceptHandlers) {
    this.#handlers = handlers;
    this.#warnings = new LimitedWarnings(handlers.host);
  }

  /** Whether users other than this process's may come in. */
  get acceptsOthers(): boolean {
    return this.#handlers.users.hasOthers;
  }

  /**
   * @param isInvited A process that was invited may take its time to start; a stranger that says nothing is sent away.
   */
  serve(connection: Socket, isInvited = false): void {
    let isAccepted = false;
    let heard: ((line: object) => void) | undefined;
    const limit = isInvited ? undefined : setTimeout(() => endConnection(connection), REQUEST_LIMIT).unref();
    connection.on("error", () => endConnection(connection));
    connection.on("close", () => {
      clearTimeout(limit);
      this.#connections.delete(connection);
      this.#silent.delete(connection);
      if (isAccepted) this.#handlers.hungUp(connection);
    });
    this.#connections.add(connection);
    if (!this.#attempt(connection, () => this.#checkUser(connection))) return;
    if (!isInvited) this.#listenTo(connection);
    onLines(connection, (line) => {
      if (isAccepted && heard === undefined) return void endConnection(connection);
      if (heard !== undefined) return heard(line);
      clearTimeout(limit);
      this.#silent.delete(connection);
      isAccepted = this.#attempt(connection, () => (heard = this.#handlers.accept(connection, line)));
    });
  }

  /** Warns of what processes that connect have caused. */
  warn(message: string): void {
    this.#warnings.warn(message);
  }

  close(): void {
    for (const connection of this.#connections) endConnection(connection);
    this.#warnings.flush();
  }

  #listenTo(connection: Socket): void {
    this.#silent.add(connection);
    if (this.#silent.size <= MOST_SILENT) return;
    const [longest] = this.#silent;
    endConnection(longest!);
    this.#silent.delete(longest!);
  }

  /** Whether it could be done; otherwise the peer is told why not, and its connection ends. */
  #attempt(connection: Socket, accept: () => void): boolean {
    try {
      accept();
      return true;
    } catch (error) {
      this.warn(`A process was not let in: ${String(error)}`);
      if (error instanceof DmaBufError && !connection.destroyed) refuse(descriptorOf(connection), error);
      // Not only its half: a peer that never closes the other one would keep it open.
      endConnection(connection);
      return false;
    }
  }

  #checkUser(connection: Socket): void {
    this.#handlers.users.check(descriptorOf(connection), this.#handlers.refusal);
  }
}
