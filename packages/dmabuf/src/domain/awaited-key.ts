import { ERRNO } from "../errors.js";
import type { Activity } from "./activity.js";
import type { Agent, WaitCondition } from "./agent.js";
import { armKey, endKey, isKeySignaled, isOwnKey, keyProgress, keyTimeLimit } from "./fence-slot.js";
import type { FenceKey } from "./timeline-slot.js";

/** Milliseconds without progress after which hang recovery ends a timeline or a published fence, by default. */
export const DEFAULT_TIME_LIMIT = 10_000;

export function awaitsFence({ slot, generation, sequence }: FenceKey): Activity {
  return { does: "awaits-fence", slot, generation, number: sequence };
}

/** How a thread waits for a fence in shared memory; a look may start hang recovery (agent.4). */
export class AwaitedKey implements WaitCondition {
  readonly ready: () => boolean;
  protected readonly agent: Agent;
  protected readonly key: FenceKey;
  readonly #limitNs: number;
  readonly #expired: ((limit: number) => void) | undefined;
  #progress = -1;
  #since = 0;

  /** @param ready Whether the fence has signaled. Default: looks at the key alone. */
  constructor(
    agent: Agent,
    key: FenceKey,
    timeLimit = DEFAULT_TIME_LIMIT,
    ready = (): boolean => isKeySignaled(agent, key),
  ) {
    this.ready = ready;
    this.agent = agent;
    this.key = key;
    this.#limitNs = timeLimit * 1e6;
    this.#expired = agent.validation?.awaits(key);
  }

  activity(): Activity {
    return awaitsFence(this.key);
  }

  arm(): void {
    armKey(this.agent, this.key);
  }

  spin(looks: number): boolean {
    const { slot, generation, sequence } = this.key;
    this.agent.protocol.spinSignaled(slot, generation, sequence, looks);
    return this.ready();
  }

  /** The wait has lasted until the time limit of its fence, in milliseconds. */
  protected expired(limit: number): void {
    this.#expired?.(limit);
  }

  recheckAfter(): number {
    const now = this.agent.host.nowNs();
    const progress = keyProgress(this.agent, this.key);
    if (progress !== this.#progress) {
      this.#progress = progress;
      this.#since = now;
    }
    const left = this.#since + this.#limitNs - now;
    if (left <= 0) {
      this.expired(this.#limitNs / 1e6);
      this.agent.tracer?.timesOut(this.key, now);
      endKey(this.agent, this.key, ERRNO.ETIMEDOUT, now);
    }
    return Math.max(0, left / 1e6);
  }
}

/** A wait for a fence that this agent knows by its key alone. */
export class PendingKey extends AwaitedKey {
  constructor(agent: Agent, key: FenceKey) {
    super(agent, key, keyTimeLimit(agent, key));
  }

  /** @throws {DmaBufError} `EDEADLK` if this thread itself must signal it. */
  checkBlocking(): void {
    if (!isOwnKey(this.agent, this.key)) return;
    throw this.agent.blocksItself("own-fence", "Cannot block: only this thread can signal the fence");
  }
}
