import { check, checkOptions, type Kind } from "../arguments.js";
import { DOMAIN } from "../domain-base.js";
import { DmaBufError } from "../errors.js";
import type { Invitation } from "../thread-domain.js";
import { introduce, INTRODUCTION, listen, type IntroductionOptions, type InvitingDomain } from "./introduction.js";

/** A domain that also gives up agents whose end no system tells: that of `dmabuf` or that of `dmabuf/streams`. */
export interface ExpellingDomain extends InvitingDomain {
  /** See `expel()` of a domain. */
  expel(invitation: Invitation): void;
}

/** An AudioWorklet that has joined a domain. */
export interface WorkletLink {
  /** Its node. */
  readonly node: AudioWorkletNode;
  /** Its name in the domain. */
  readonly name: string;
  /** What it has joined by. */
  readonly invitation: Invitation;
  /** Resolves when it has left, or was expelled, or this thread has left the domain. Never rejects. */
  readonly ended: Promise<void>;
  /**
   * Gives back what it held. Call it where its processor will not run again, and its context goes on: after it has returned
   * false. Twice does nothing.
   *
   * @throws {DmaBufError} `EBADF` if this thread has left the domain.
   */
  expel(): void;
}

const NODE: Kind = {
  wanted: "an AudioWorkletNode",
  isKind: (value) => typeof (value as Partial<AudioWorkletNode> | null | undefined)?.port?.postMessage === "function",
};

/**
 * Has an AudioWorklet join a domain: invites it, posts it the invitation through the port of its node, and waits until its
 * processor has joined by `joinInWorklet()` of `dmabuf/web/worklet`.
 *
 * No browser tells of the end of a worklet. What it held is given back when its context is closed, and when its processor
 * throws (`processorerror`): after both it does not run again.
 *
 * @returns The worklet, with its end.
 * @throws {TypeError | RangeError} Naming the argument that is wrong.
 * @throws {DmaBufError} `EIO` if its processor threw; `ECANCELED` if its context is closed; `ETIMEDOUT` if it has not joined in
 *   time; what `Domain.join()` has thrown there; what `invite()` throws. A `DataCloneError` if `data` cannot be posted.
 *
 * @example
 * ```ts page
 * import { audioFormat, Domain } from "dmabuf/streams";
 * import { connectWorklet } from "dmabuf/web";
 *
 * const domain = Domain.create({ name: "page" });
 * const format = audioFormat({ channels: 2, rate: 48_000, samples: 512, layout: "planar" });
 * const stream = domain.createStream({ format, buffers: 8 });
 * const context = new AudioContext({ sampleRate: 48_000 });
 * await context.audioWorklet.addModule(new URL("./player.js", import.meta.url));
 * const node = new AudioWorkletNode(context, "player", { outputChannelCount: [2] });
 * const link = await connectWorklet(domain, node, { name: "player", data: { stream: stream.handle() } });
 * node.connect(context.destination);
 * void link.ended.then(() => console.log("the player has ended"));
 * ```
 */
export async function connectWorklet(
  domain: ExpellingDomain,
  node: AudioWorkletNode,
  options: IntroductionOptions = {},
): Promise<WorkletLink> {
  const call = "connectWorklet()";
  check(call, "domain", domain, DOMAIN);
  check(call, "node", node, NODE);
  checkOptions(call, options, INTRODUCTION);
  const { context } = node;
  const introduced = await introduce(domain, node.port, options, {
    heed(failed) {
      const fails = (code: "EIO" | "ECANCELED", why: string): void =>
        void failed(new DmaBufError(code, `Cannot connect the worklet: ${why}`));
      const closed = (): void => {
        if (context.state === "closed") fails("ECANCELED", "its context is closed");
      };
      const ends = [
        listen(context, ["statechange"], closed),
        listen(node, ["processorerror"], (event) =>
          fails("EIO", (event as ErrorEvent).message || "its processor threw"),
        ),
      ];
      closed();
      return () => ends.forEach((end) => end());
    },
    lost: (invitation) => domain.expel(invitation),
  });
  return { node, ...introduced, expel: () => domain.expel(introduced.invitation) };
}
