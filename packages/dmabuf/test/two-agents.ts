import { sharedMemory } from "../src/buffer/shared-memory.js";
import type { StorageCarrier } from "../src/buffer/storage-carrier.js";
import type { StorageKeeper } from "../src/buffer/storage-exchange.js";
import type { Sizes } from "../src/domain/layout.js";
import type { Substrate } from "../src/substrate/substrate.js";
import { SteppedSubstrate } from "../src/testing/index.js";
import { BareDomain, createMemory } from "./bare-domain.js";

/**
 * Two agents in the event loop of this thread, one of which may die at any step without a word. What runs of it
 * afterwards runs in a world of its own, a copy of the shared memory as it was at its death: no other agent notices it.
 */
export class TwoAgents {
  readonly survivor: BareDomain;
  readonly mortal: BareDomain;
  readonly #steps: SteppedSubstrate;
  readonly #sizes: Partial<Sizes>;
  readonly #real: Substrate;
  readonly #keepers: StorageKeeper[] = [];
  #mortalMemory: Substrate;
  #isDead = false;

  constructor(sizes: Partial<Sizes>) {
    this.#sizes = sizes;
    this.#real = this.#mortalMemory = createMemory(sizes);
    this.survivor = new BareDomain(this.#real, "survivor", {}, this.#carrier());
    this.#steps = new SteppedSubstrate(forwardTo(() => this.#mortalMemory));
    // The dead keep no process alive.
    this.mortal = new BareDomain(this.#steps, "mortal", { keepAlive: () => () => {} }, this.#carrier());
  }

  /** Whether the one that may die has died. */
  get isDead(): boolean {
    return this.#isDead;
  }

  /** From now on the steps are counted; the agent dies before the step with this number. */
  killAt(at: number): Promise<void> {
    return new Promise((resolve) => {
      this.#steps.begin({
        at,
        happen: () => {
          this.#isDead = true;
          this.#mortalMemory = this.#copy();
          resolve();
        },
      });
    });
  }

  /** From now on it does not die any more. */
  spare(): void {
    this.#steps.begin({});
  }

  #copy(): Substrate {
    const copy = createMemory(this.#sizes);
    for (let word = 0; word < copy.words; word++) copy.store(word, this.#real.load(word));
    return copy;
  }

  /** Moved storage reaches the other agent at once; that of the dead does not. */
  #carrier(): StorageCarrier {
    const index = this.#keepers.length;
    const other = (): StorageKeeper | undefined => (this.#isDead ? undefined : this.#keepers[1 - index]);
    return {
      ...sharedMemory,
      exchange: {
        connect: (keeper) => void (this.#keepers[index] = keeper),
        announce: (moved) => other()?.arrived(moved),
        ask: (key, version) => {
          const found = other()?.storageOf(key);
          if (found?.version === version) this.#keepers[index]!.arrived(found);
          else this.#keepers[index]!.missing(key, version);
        },
        receivesWhileBlocked: true,
      },
    };
  }
}

/** The memory that `target` gives at each operation. */
function forwardTo(target: () => Substrate): Substrate {
  return new Proxy({} as Substrate, {
    get(_, name: keyof Substrate) {
      const member: unknown = Reflect.get(target(), name);
      if (typeof member !== "function") return member;
      return (...values: unknown[]): unknown => Reflect.apply(member, target(), values);
    },
  });
}
