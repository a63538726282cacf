import type { Sizes } from "../domain/layout.js";
import type { JoinOptions } from "../joined-domain.js";
import type { Substrate } from "../substrate/substrate.js";

export interface ListenOptions extends Partial<Sizes>, JoinOptions {
  /** This thread's name, for people; at most 31 bytes of UTF-8. Default: the process's number. */
  readonly name?: string;
  /**
   * Other users whose processes may be members beside this user's and root's, by their numbers: they are trusted with
   * everything in the domain. Default: none.
   */
  readonly users?: readonly number[];
  /** @internal For tests: puts something between the domain and its memory. */
  readonly wrapMemory?: (memory: Substrate) => Substrate;
}

export interface ConnectOptions extends JoinOptions {
  /** As in {@link ListenOptions}. */
  readonly name?: string;
  /** Milliseconds to wait for an answer. Default 5,000. */
  readonly timeout?: number;
  readonly signal?: AbortSignal;
  /** As in {@link ListenOptions}; also whose domain it may be that this process joins. */
  readonly users?: readonly number[];
  /** @internal As in {@link ListenOptions}. */
  readonly wrapMemory?: (memory: Substrate) => Substrate;
}
