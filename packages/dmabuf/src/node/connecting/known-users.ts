import { DmaBufError } from "../../errors.js";
import { effectiveUser, peerCredentials } from "../system-calls/index.js";

/**
 * The users that this process has to do with: its own, root, who could do everything anyway, and those that it is told.
 * Both ends of a connection ask the kernel who the other one is, before anything is read or said.
 */
export class KnownUsers {
  /** Whether it was told others than its own user and root. */
  readonly hasOthers: boolean;
  readonly #users: ReadonlySet<number>;

  /** @param others Their numbers. */
  constructor(others: readonly number[] = []) {
    const own = new Set([effectiveUser(), ROOT]);
    this.#users = new Set([...own, ...others]);
    this.hasOthers = this.#users.size > own.size;
  }

  /**
   * Asks who is at the other end of a socket.
   *
   * @param action What cannot be done with a stranger: "Cannot join the domain".
   * @throws {DmaBufError} `EACCES` naming the user.
   */
  check(connection: number, action: string): void {
    const { uid, pid } = peerCredentials(connection);
    if (this.#users.has(uid)) return;
    throw new DmaBufError("EACCES", `${action}: user ${uid} (process ${pid}) is not one of "users"`);
  }
}

const ROOT = 0;
