import { DmaBufError } from "dmabuf";
import type { DomainObserver } from "dmabuf/node";
import type { DomainState } from "../shared/messages.js";
import type { DomainSnapshot } from "dmabuf/node";
import { History } from "./history.js";
import { isPlace, openDomain } from "./open-domain.js";

/** Milliseconds between two snapshots while a page is open, while none is, and between two looks for another domain. */
const EVERY = 100;
const EVERY_UNSEEN = 500;
const LOOK_EVERY = 500;

/** Who hears of a watched domain. */
export interface Watcher {
  onSnapshot(snapshot: DomainSnapshot): void;
  /** Also with each new domain: `isNew` says that what was known is of another one. */
  onState(state: DomainState, isNew: boolean): void;
}

/**
 * Looks at one domain again and again.
 *
 * watch.1. The domain's end is no error: the last snapshot stays, and so does the minute before it.
 * watch.2. It waits for another domain only where it was asked to, and only where a place names it: the number of a process
 *      may be another program's by then.
 */
export class Watch implements Disposable {
  readonly history = new History();
  readonly #where: string;
  readonly #watchers = new Set<Watcher>();
  #observed: DomainObserver | undefined;
  #state: DomainState;
  #timer: NodeJS.Timeout | undefined;

  /** @throws {DmaBufError} If there is no such domain, and it is not to be waited for. */
  constructor(where: string, isToWait: boolean) {
    this.#where = where;
    this.#state = this.#stateOf("waiting");
    if (isToWait && isPlace(where)) this.#look();
    else this.#begin(openDomain(where));
  }

  get state(): DomainState {
    return this.#state;
  }

  /** @throws {DmaBufError} `ENODEV` if there is none just now. */
  get observed(): DomainObserver {
    if (this.#observed !== undefined) return this.#observed;
    throw new DmaBufError("ENODEV", "Cannot look at the domain: there is none at the moment");
  }

  add(watcher: Watcher): void {
    this.#watchers.add(watcher);
    // The next look may be half a second away.
    if (this.#watchers.size === 1 && this.#state.kind === "live") this.#take();
  }

  delete(watcher: Watcher): void {
    this.#watchers.delete(watcher);
  }

  /** Waits for another domain at the same place, if this one has ended. */
  wait(): void {
    if (this.#state.kind !== "ended" || !this.#state.canWait) return;
    this.#tell(this.#stateOf("waiting"), false);
    this.#look();
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
    this.#observed?.[Symbol.dispose]();
    this.#observed = undefined;
  }

  #stateOf(kind: DomainState["kind"], reason?: string): DomainState {
    return { kind, where: this.#where, canWait: isPlace(this.#where), ...(reason !== undefined && { reason }) };
  }

  #begin(observed: DomainObserver): void {
    this.#observed?.[Symbol.dispose]();
    this.#observed = observed;
    this.history.clear();
    this.#tell(this.#stateOf("live"), true);
    this.#take();
  }

  #take(): void {
    clearTimeout(this.#timer);
    const snapshot = this.#snapshot();
    if (snapshot === undefined) return;
    const kept = this.history.add(snapshot);
    for (const watcher of this.#watchers) watcher.onSnapshot(kept);
    if (snapshot.agents.some(({ state }) => state !== "dead")) {
      this.#timer = setTimeout(() => this.#take(), this.#watchers.size > 0 ? EVERY : EVERY_UNSEEN);
    } else this.#tell(this.#stateOf("ended", "its last agent has left or died"), false);
  }

  #snapshot(): DomainSnapshot | undefined {
    try {
      return this.observed.snapshot();
    } catch (error) {
      this.#tell(this.#stateOf("ended", (error as Error).message), false);
      return undefined;
    }
  }

  #look(): void {
    try {
      this.#begin(openDomain(this.#where));
    } catch (error) {
      if (!(error instanceof DmaBufError)) throw error;
      if (error.message !== this.#state.reason) this.#tell(this.#stateOf("waiting", error.message), false);
      this.#timer = setTimeout(() => this.#look(), LOOK_EVERY);
    }
  }

  #tell(state: DomainState, isNew: boolean): void {
    this.#state = state;
    for (const watcher of this.#watchers) watcher.onState(state, isNew);
  }
}
