import { whileJoined, type Feature } from "../domain/feature.js";
import { CopyLedger, type CopyRecord } from "./copy-ledger.js";
import { COPY_RECOVERY } from "./copy-slot.js";

/** What a domain tells of the copies that the library makes. */
export interface CopyMembers {
  /**
   * Which bytes of buffers the library itself has copied, and for which call: by each agent, in the order of the first copy.
   * Nothing is copied without a call that says so. Where in the program it was, agents with `DMABUF_DEBUG=1`, or the option
   * "debug", tell.
   *
   * @throws {DmaBufError} `EBADF` if this thread has left the domain.
   *
   * @example
   * ```ts
   * import { Domain } from "dmabuf";
   *
   * using domain = Domain.create();
   * using buffer = domain.allocate(4096);
   * using access = await buffer.access("read");
   * const copy = access.copy();
   * for (const { agent, why, bytes } of domain.copies()) console.log(agent, why, bytes); // main access.copy() 4096
   * console.log(copy.length);
   * ```
   */
  copies(): CopyRecord[];
}

/** Keeps account of the copies of one agent where the others see it. */
export const COPIES: Feature<CopyMembers> = {
  name: "copies",
  shares: ["copies"],
  steps: [COPY_RECOVERY],
  install(core) {
    const ledger = new CopyLedger(core.agent);
    core.agent.copies = ledger;
    return whileJoined<CopyMembers>(core, { copies: () => ledger.records() });
  },
};
