import { checkOptions, integer, NAME, check, type Kinds } from "../../arguments.js";
import { agentOf } from "../../domain-base.js";
import { STREAM_BUFFERS } from "../../domain/layout.js";
import { countdown, WAIT, type WaitOptions } from "../../domain/wait.js";
import { DmaBufError } from "../../errors.js";
import { FOLLOW, type Follower, type FollowOptions } from "../../node/messages/follower.js";
import type { ProcessDomain } from "../../node/process-domain.js";
import type { FrameStream } from "../../stream/frame-stream.js";
import type { JsonValue } from "../../stream/metadata.js";
import { POLICY, type Policy } from "../../stream/stream-slot.js";
import type { Calls } from "../calls.js";

/** How the frames of another host's stream come to this one. It counts for all of this host's consumers: the strongest wish does. */
export interface RemoteStreamOptions {
  /**
   * What happens when the network, or this host's slowest consumer, is slower than the producer: `newest` and `drop-oldest`
   * lose frames on the other host, before they are sent, and `block` makes the producer there wait, as for a consumer of its own. Of
   * several wishes the strongest counts, `block` before `drop-oldest`. Default "newest". The policies of this host's consumers
   * are their own.
   */
  readonly policy?: Policy;
  /**
   * How many frames may be on their way, from 1 to 32, and less than the stream has buffers. More are needed the longer the way
   * is: there come at most so many in the time of a round trip and a frame's transfer. Default 2.
   */
  readonly credits?: number;
}

/** Options of `Hosts.findStream()`. */
export interface FindStreamOptions extends RemoteStreamOptions, WaitOptions {}

/** Options of `Hosts.follow()`. */
export interface FollowStreamOptions extends FollowOptions {
  /** As `policy` of `findStream()`: what is lost on the way to this host. Default "newest". */
  readonly remotePolicy?: Policy;
  /** As `credits` of `findStream()`. */
  readonly credits?: number;
}

const CREDITS = integer(1, STREAM_BUFFERS);
const FIND: Kinds<FindStreamOptions> = { ...WAIT, policy: POLICY, credits: CREDITS };
const FOLLOW_STREAM: Kinds<FollowStreamOptions> = { ...FOLLOW, remotePolicy: POLICY, credits: CREDITS };

/** The agent's calls for them. */
export const WANT = "want a stream";
export const LIST = "list streams";

/** See `Hosts.findStream()`. */
export async function findStream(
  calls: Calls,
  domain: ProcessDomain,
  name: string,
  options: FindStreamOptions,
): Promise<FrameStream> {
  check("Hosts.findStream()", "name", name, NAME);
  checkOptions("Hosts.findStream()", options, FIND);
  const { policy, credits, timeout, signal } = options;
  const { host } = agentOf(domain);
  const left = countdown(host, timeout);
  const end = new AbortController();
  const abort = (): void => end.abort(signal?.reason);
  const passed = (): void => {
    end.abort(new DmaBufError("ETIMEDOUT", `No host has had a stream "${name}" for ${timeout} ms`));
  };
  const stop = timeout === undefined || timeout === Infinity ? undefined : host.after(timeout, passed);
  signal?.addEventListener("abort", abort, { once: true });
  try {
    signal?.throwIfAborted();
    await calls.call(WANT, bodyOf(name, policy, credits), end.signal);
    return await domain.findStream(name, { timeout: left(), ...(signal && { signal }) });
  } finally {
    stop?.();
    signal?.removeEventListener("abort", abort);
  }
}

/** See `Hosts.follow()`. */
export function followStream(
  calls: Calls,
  domain: ProcessDomain,
  name: string,
  options: FollowStreamOptions,
): Follower<never> {
  check("Hosts.follow()", "name", name, NAME);
  checkOptions("Hosts.follow()", options, FOLLOW_STREAM);
  const { remotePolicy, credits, ...own } = options;
  const follower = domain.follow<never>(name, own);
  // If it fails, no stream is found, which the follower says.
  void calls.call(WANT, bodyOf(name, remotePolicy, credits)).catch(() => {});
  return follower;
}

function bodyOf(name: string, policy: Policy | undefined, credits: number | undefined): JsonValue {
  return { name, policy, credits };
}
