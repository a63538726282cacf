import type { Agent } from "../domain/agent.js";
import type { Core } from "../domain/feature.js";
import { checkHandle, type HandleKind } from "../domain/handle.js";
import { SYNCOBJ_SLOTS } from "./syncobj-slot.js";
import { DmaBufError } from "../errors.js";
import { SharedPoints } from "./shared-points.js";
import { makeSyncobjHandle, type SyncobjHandle, type SyncobjHandleData } from "./syncobj-handle.js";
import { SyncobjState } from "./syncobj-state.js";

const SYNCOBJ_HANDLE: HandleKind = { kind: "syncobj", noun: "syncobj", slots: ({ syncobjs }) => syncobjs };

/**
 * The syncobjs that an agent has in common with others: one state each, however many holders there are. The agent's
 * reference in shared memory lasts while its state does.
 */
export class SyncobjTable {
  readonly agent: Agent;
  readonly #handleLimit: number;
  readonly #states = new Map<number, SyncobjState>();

  constructor({ agent, handleLimit }: Pick<Core, "agent" | "handleLimit">) {
    this.agent = agent;
    this.#handleLimit = handleLimit;
  }

  /**
   * A handle to a syncobj, which from then on is in shared memory.
   *
   * @throws {DmaBufError} `ENOSPC` if there is no place or no room for it; `EAGAIN` if too many handles are in flight;
   *   `EBADF` if the agent has left the domain.
   */
  createHandle(state: SyncobjState): SyncobjHandle {
    if (this.agent.closed) throw new DmaBufError("EBADF", "Cannot send the syncobj: this thread has left the domain");
    if (state.shared === undefined) this.#add(state, SharedPoints.claim(this.agent, state.fence));
    return makeSyncobjHandle(this.agent, state.shared!.key, this.#handleLimit);
  }

  /**
   * The syncobj that was sent.
   *
   * @throws {DmaBufError} `ESTALE` if it is gone; `EINVAL` if the handle is of another domain or damaged.
   */
  open(handle: SyncobjHandleData): SyncobjState {
    checkHandle(this.agent, handle, SYNCOBJ_HANDLE);
    const { slot, generation, inflight } = handle;
    let state = this.#states.get(slot);
    if (state?.shared?.key.generation !== generation) {
      // A reference of ours to another generation means that the handle's syncobj is gone.
      if (state !== undefined || !SYNCOBJ_SLOTS.addReference(this.agent, { slot, generation })) {
        throw new DmaBufError("ESTALE", "Cannot import the syncobj: it is gone");
      }
      state = new SyncobjState(this.agent);
      this.#add(state, new SharedPoints(this.agent, { slot, generation }));
    }
    // It is held now: the handle's own hold, if it still lasts, has done its work.
    SYNCOBJ_SLOTS.endInflight(this.agent, slot, inflight);
    return state;
  }

  /** Gives all back before the agent leaves: what its holders still see is the last that was stored. */
  close(): void {
    for (const state of [...this.#states.values()]) state.leave();
  }

  #add(state: SyncobjState, shared: SharedPoints): void {
    const { slot } = shared.key;
    this.#states.set(slot, state);
    state.share(shared, () => {
      this.#states.delete(slot);
      SYNCOBJ_SLOTS.dropReference(this.agent, slot);
    });
  }
}
