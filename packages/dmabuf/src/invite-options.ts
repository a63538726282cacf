import { milliseconds, NAME, type Kinds } from "./arguments.js";

/** How `invite()` of a domain invites a thread. */
export interface InviteOptions {
  /** The thread's name, for people; at most 31 bytes of UTF-8. Default "worker". */
  readonly name?: string;
  /**
   * Milliseconds after which the invitation is void if no thread has joined by it, so that one that is lost keeps no place;
   * `Infinity` for never. Default 60,000.
   */
  readonly limit?: number;
}

export const INVITE: Kinds<InviteOptions> = { name: NAME, limit: milliseconds(0, Infinity) };

export const INVITE_LIMIT = 60_000;
