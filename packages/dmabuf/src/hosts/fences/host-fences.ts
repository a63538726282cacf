import { check } from "../../arguments.js";
import { DmaBufError } from "../../errors.js";
import type { Fence } from "../../fence/fence.js";
import type { FenceHandle } from "../../fence/fence-handle.js";
import type { ProcessDomain } from "../../node/process-domain.js";
import type { JsonValue } from "../../stream/metadata.js";
import type { Peers } from "../peers.js";
import { inTime, REMOTE_FENCE, type RemoteFenceHandle } from "./remote-fence.js";

/**
 * Fences of other hosts.
 *
 * host-fences.1. A fence here for one of another host ends once, by whatever is first: that host's word; the time limit here, with
 *      `ETIMEDOUT`; the loss of that host, with `ESRCH`. So each ends in bounded time, without that host and without the network.
 * host-fences.2. What the fence has ended with here changes nothing at its own host.
 * host-fences.3. A fence of an earlier incarnation of its host ends with `ESTALE`.
 * host-fences.4. A host waits for its own fence no longer than the one that asks.
 */

const SERVICE = "fences";

export class HostFences {
  readonly #peers: Peers;
  readonly #domain: ProcessDomain;
  readonly #end = new AbortController();

  constructor(peers: Peers, domain: ProcessDomain) {
    this.#peers = peers;
    this.#domain = domain;
    peers.serve(SERVICE, { answer: (_peer, body) => this.#answer(body) });
  }

  /**
   * Waits for the fence behind a handle.
   *
   * @param timeout Milliseconds.
   * @throws {DmaBufError} What it has failed with; as host-fences.1 and host-fences.3 say.
   */
  async wait(handle: RemoteFenceHandle, timeout: number, signal: AbortSignal): Promise<void> {
    check("Hosts.fence()", "handle", handle, REMOTE_FENCE);
    const { self } = this.#peers;
    const either = AbortSignal.any([signal, this.#end.signal]);
    if (handle.host === self.id) {
      checkIncarnation(handle, self);
      return this.#waitHere(handle.fence, timeout, either);
    }
    const peer = await this.#peers.reach(handle.host, either);
    checkIncarnation(handle, peer);
    const { incarnation, fence } = handle;
    await peer.ask(SERVICE, { incarnation, timeout, fence: asJson(fence) }, { timeout: Infinity, signal: either });
  }

  close(): void {
    this.#end.abort(new DmaBufError("ECANCELED", "This host has left the others"));
  }

  async #answer(body: JsonValue): Promise<null> {
    const { incarnation, timeout, fence } = (body ?? {}) as Partial<Record<string, unknown>>;
    const { self } = this.#peers;
    if (typeof timeout !== "number" || !(timeout >= 1) || typeof incarnation !== "number") {
      throw new DmaBufError("EINVAL", "Cannot wait for the fence: the question is damaged");
    }
    checkIncarnation({ host: self.id, incarnation }, self);
    await this.#waitHere(fence as FenceHandle, Math.min(timeout, MOST), this.#end.signal);
    return null;
  }

  async #waitHere(handle: FenceHandle, timeout: number, signal: AbortSignal): Promise<void> {
    using fence: Fence = this.#domain.import(handle);
    // host-fences.4
    await inTime(timeout, (limit) => fence.wait({ signal: AbortSignal.any([signal, limit]) }));
    const { error } = fence;
    if (error !== undefined) throw error;
  }
}

const MOST = 0x7fff_ffff;

/** host-fences.3. */
function checkIncarnation(
  { host, incarnation }: Pick<RemoteFenceHandle, "host" | "incarnation">,
  now: { readonly incarnation: number },
): void {
  if (incarnation === now.incarnation) return;
  const what = `incarnation ${incarnation} of host ${host}, which is ${now.incarnation} now`;
  throw new DmaBufError("ESTALE", `Cannot wait for the fence: it is of ${what}`);
}

function asJson(handle: FenceHandle): JsonValue {
  return handle as unknown as JsonValue;
}
