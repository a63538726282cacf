import type { Socket } from "node:net";
import { DmaBufError } from "../errors.js";
import { descriptorOf, onLines, refuse } from "./lines.js";
import { effectiveUser, peerCredentials } from "./system-calls.js";

/** What is done for a process that may come in. */
export interface Welcome {
  /** Which other users may, by their numbers. */
  readonly users: readonly number[];
  /**
   * Answers the first line that the process has sent.
   *
   * @returns Who hears the other lines, if there are to be any.
   * @throws {DmaBufError} Which is told to the process.
   */
  admit(connection: Socket, application: object): ((line: object) => void) | undefined;
  /** A process that was admitted is gone, or may be. */
  hungUp(connection: Socket): void;
  warn(message: string): void;
}

/** Milliseconds for a peer to say what it wants. */
const APPLICATION_LIMIT = 5_000;
/** So many may be let to say it at the same time; whoever has been silent the longest goes for another. */
const MOST_SILENT = 64;

/**
 * Lets processes in, each through a connected stream socket.
 *
 * RE1. Who asks is asked of the kernel, before anything is read: only the users that may come in are listened to.
 * RE2. A peer that sends what it should not, or nothing in time, loses its connection, and nobody else notices: no
 *      descriptor stays open for it, and those that say nothing leave room for others.
 */
export class Reception {
  readonly #welcome: Welcome;
  readonly #users: ReadonlySet<number>;
  readonly #connections = new Set<Socket>();
  /** In the order in which they came. */
  readonly #silent = new Set<Socket>();

  constructor(welcome: Welcome) {
    this.#welcome = welcome;
    this.#users = new Set([effectiveUser(), ...welcome.users]);
  }

  /** Whether users other than this process's may come in. */
  get admitsOthers(): boolean {
    return this.#users.size > 1;
  }

  /** @param isInvited Whoever was invited may take its time to start: a stranger who says nothing is sent away. */
  serve(connection: Socket, isInvited = false): void {
    let isAdmitted = false;
    let heard: ((line: object) => void) | undefined;
    const limit = isInvited ? undefined : setTimeout(() => connection.destroy(), APPLICATION_LIMIT).unref();
    connection.on("error", () => connection.destroy());
    connection.on("close", () => {
      clearTimeout(limit);
      this.#connections.delete(connection);
      this.#silent.delete(connection);
      if (isAdmitted) this.#welcome.hungUp(connection);
    });
    this.#connections.add(connection);
    if (!this.#attempt(connection, () => this.#checkUser(descriptorOf(connection)))) return;
    if (!isInvited) this.#listenTo(connection);
    onLines(connection, (line) => {
      if (isAdmitted && heard === undefined) return void connection.destroy();
      if (heard !== undefined) return heard(line);
      clearTimeout(limit);
      this.#silent.delete(connection);
      isAdmitted = this.#attempt(connection, () => (heard = this.#welcome.admit(connection, line)));
    });
  }

  close(): void {
    for (const connection of this.#connections) connection.destroy();
  }

  #listenTo(connection: Socket): void {
    this.#silent.add(connection);
    if (this.#silent.size <= MOST_SILENT) return;
    const [longest] = this.#silent;
    longest!.destroy();
    this.#silent.delete(longest!);
  }

  /** Whether it could be done; otherwise the peer is told why not, and its connection ends. */
  #attempt(connection: Socket, admit: () => void): boolean {
    try {
      admit();
      return true;
    } catch (error) {
      this.#welcome.warn(`A process was not let in: ${String(error)}`);
      if (error instanceof DmaBufError && !connection.destroyed) refuse(descriptorOf(connection), error);
      // Not only its half: a peer that never closes the other one would keep it open.
      connection.destroy();
      return false;
    }
  }

  #checkUser(descriptor: number): void {
    const { uid, pid } = peerCredentials(descriptor);
    if (this.#users.has(uid)) return;
    throw new DmaBufError("EACCES", `Cannot join the domain: user ${uid} (process ${pid}) may not`);
  }
}
