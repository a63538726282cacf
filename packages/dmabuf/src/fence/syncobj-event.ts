import { check, FUNCTION, orElse } from "../arguments.js";
import { textOf } from "../errors.js";
import type { Fence, FenceCallback } from "./fence.js";
import type { SyncobjState } from "./syncobj-state.js";

const CALLBACK = orElse("EINVAL", FUNCTION);

/** A callback for a point: first the point is waited for, then its fence. */
export class PointEvent implements FenceCallback {
  readonly #state: SyncobjState;
  readonly #run: () => void;
  #end: (() => void) | undefined;

  constructor(state: SyncobjState, point: number, run: () => void, available: boolean) {
    check("Syncobj.onPoint()", "run", run, CALLBACK);
    this.#state = state;
    this.#run = run;
    let isSubmitted = false;
    const submitted = (fence: Fence): void => {
      isSubmitted = true;
      if (available) this.#ready();
      else this.#await(fence);
    };
    const fence = state.find(point);
    if (fence !== undefined) {
      submitted(fence);
      return;
    }
    const end = state.whenSubmitted(point, submitted);
    if (!isSubmitted) this.#end = end;
  }

  get queued(): boolean {
    return this.#end !== undefined;
  }

  remove(): boolean {
    const end = this.#end;
    this.#end = undefined;
    end?.();
    return end !== undefined;
  }

  [Symbol.dispose](): void {
    this.remove();
  }

  #await(fence: Fence): void {
    const callback = fence.addCallback(() => this.#ready());
    if (callback.queued) this.#end = () => void callback.remove();
    else this.#ready();
  }

  #ready(): void {
    this.#end = undefined;
    try {
      this.#run();
    } catch (error) {
      this.#state.agent.host.warn(`A callback of a syncobj's point threw: ${textOf(error)}`);
    }
  }
}
