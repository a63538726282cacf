import type { Socket } from "node:net";
import { DmaBufError } from "../errors.js";
import { admit, checkApplication, LONGEST_LINE, refuse } from "./admission.js";
import type { DomainFiles } from "./domain-files.js";
import { effectiveUser, peerCredentials } from "./system-calls.js";

export interface ReceptionEvents {
  /** A process that was admitted is gone, or may be. */
  hungUp(): void;
  warn(message: string): void;
}

/** Milliseconds for a peer to say what it wants. */
const APPLICATION_LIMIT = 5_000;

/**
 * Admits processes to a domain, each through a connected stream socket.
 *
 * RE1. Who asks is asked of the kernel: only the users that may join are answered.
 * RE2. A peer that sends what it should not, or nothing in time, loses its connection, and nobody else notices.
 */
export class Reception {
  readonly #files: DomainFiles;
  readonly #users: ReadonlySet<number>;
  readonly #events: ReceptionEvents;
  readonly #connections = new Set<Socket>();

  /** @param users Who may join besides the user of this process. */
  constructor(files: DomainFiles, users: readonly number[], events: ReceptionEvents) {
    this.#files = files;
    this.#users = new Set([effectiveUser(), ...users]);
    this.#events = events;
  }

  serve(connection: Socket): void {
    this.#connections.add(connection);
    let text = "";
    let isAdmitted = false;
    const limit = setTimeout(() => connection.destroy(), APPLICATION_LIMIT).unref();
    connection.unref();
    connection.setEncoding("utf8");
    connection.on("error", () => connection.destroy());
    connection.on("close", () => {
      clearTimeout(limit);
      this.#connections.delete(connection);
      if (isAdmitted) this.#events.hungUp();
    });
    connection.on("data", (some: string) => {
      text += some;
      const end = text.indexOf("\n");
      if (isAdmitted || (end < 0 && text.length > LONGEST_LINE)) return void connection.destroy();
      if (end < 0) return;
      clearTimeout(limit);
      isAdmitted = this.#decide(connection, text.slice(0, end));
      if (!isAdmitted) connection.end();
    });
    connection.resume();
  }

  close(): void {
    for (const connection of this.#connections) connection.destroy();
  }

  #decide(connection: Socket, application: string): boolean {
    const descriptor = descriptorOf(connection);
    try {
      const { uid, pid } = peerCredentials(descriptor);
      if (!this.#users.has(uid)) {
        throw new DmaBufError("EACCES", `Cannot join the domain: user ${uid} (process ${pid}) may not`);
      }
      checkApplication(application);
      admit(descriptor, this.#files);
      return true;
    } catch (error) {
      this.#events.warn(`A process was not admitted: ${String(error)}`);
      if (error instanceof DmaBufError) tell(descriptor, error);
      return false;
    }
  }
}

/** A peer that is gone needs no answer. */
function tell(descriptor: number, error: DmaBufError): void {
  try {
    refuse(descriptor, error);
  } catch {
    // As above.
  }
}

/** Node.js has no other way to the number. */
function descriptorOf(connection: Socket): number {
  return (connection as unknown as { readonly _handle: { readonly fd: number } })._handle.fd;
}
