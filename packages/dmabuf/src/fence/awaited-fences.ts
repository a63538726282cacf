import type { Activity } from "../domain/activity.js";
import type { WaitCondition } from "../domain/agent.js";
import { awaitsFence } from "../domain/awaited-key.js";
import { backingOf, type Fence } from "./fence.js";

/** How a blocking thread waits for something that depends on several fences. */
export class AwaitedFences implements WaitCondition {
  readonly ready: () => boolean;
  readonly #pending: () => Iterable<Fence>;
  /** Kept from look to look: each knows since when its fence has made no progress. */
  #awaited = new Map<Fence, WaitCondition>();

  /** @param pending The fences of which each may decide what comes next; asked again at each look. */
  constructor(ready: () => boolean, pending: () => Iterable<Fence>) {
    this.ready = ready;
    this.#pending = pending;
  }

  /** The first of them that other agents know. */
  activity(): Activity | undefined {
    for (const fence of this.#pending()) {
      const key = backingOf(fence).key(fence);
      if (key !== undefined) return awaitsFence(key);
    }
    return undefined;
  }

  /** Makes sure that the fences will signal by themselves. */
  enable(): this {
    this.#look();
    return this;
  }

  arm(): void {
    // One that signals before it is armed rings no agent: then others decide, which are armed in its place.
    do {
      this.#look();
      for (const one of this.#awaited.values()) one.arm();
    } while (!this.ready() && this.#hasSignaled());
  }

  recheckAfter(): number {
    let least = Infinity;
    for (const one of this.#awaited.values()) least = Math.min(least, one.recheckAfter?.() ?? Infinity);
    return least;
  }

  #hasSignaled(): boolean {
    for (const fence of this.#awaited.keys()) if (fence.isSignaled()) return true;
    return false;
  }

  #look(): void {
    const awaited = new Map<Fence, WaitCondition>();
    for (const fence of this.#pending())
      awaited.set(fence, this.#awaited.get(fence) ?? backingOf(fence).awaited(fence));
    this.#awaited = awaited;
  }
}
