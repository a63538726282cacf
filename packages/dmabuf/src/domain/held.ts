import { textOf } from "../errors.js";
import type { Host } from "../host/host.js";
import { stackHere } from "../host/stack.js";
import type { Validation } from "./validation.js";
import type { Activity, ActivityLog, HeldPlace } from "./activity.js";

/**
 * What only an object of the user's can end: an access, a frame, a loan, a lock, a consumer, a mapping. Where that is
 * forgotten, others would wait without end, and nothing would say why. So when the object is collected, this is warned
 * of, once, and given back, from the event loop of its agent.
 *
 * held.1. Nothing that is kept here, or that the library lists, refers to the object of the user's; nor does what ends
 *      it.
 * held.2. It ends once: by its object, by the library, or when that object is collected.
 * held.3. What ends soon costs no finalizer: only what is still held after some time is watched.
 * held.4. While a view of its bytes that was handed out is in use, its object counts as in use; views that the user's
 *      code makes of that view do not.
 * held.5. What is held again and again, as a frame is, begins again for the next object. Each object knows how often it
 *      had ended when that object was made, and is over once it has ended more often.
 */
export class Held {
  readonly #list: HeldList;
  readonly #what: (self: never) => string | undefined;
  readonly #end: (self: never) => void;
  readonly #giveBack: ((self: never) => void) | undefined;
  #isOver = false;
  /** How often it has ended (held.5). */
  ends = 0;
  /** The object, until it is watched. */
  #young: object | undefined;
  #views: ((object: never) => Iterable<object>) | undefined;
  #isWatched = false;
  #isListed = false;

  /**
   * The functions get this object: one that is made often needs no closures.
   *
   * @param what Names it in the warning; nothing if none is due.
   * @param end Ends it; does not fail.
   * @param giveBack What ends it when it was forgotten, if that is something else.
   */
  constructor(
    list: HeldList,
    what: (self: never) => string | undefined,
    end: (self: never) => void,
    giveBack?: (self: never) => void,
  ) {
    this.#list = list;
    this.#what = what;
    this.#end = end;
    this.#giveBack = giveBack;
  }

  /** What it is, for other agents; nothing if it is in no one's way. */
  activity(): Activity | undefined {
    return undefined;
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** Whether it was held for some time, and its object is watched (held.3). */
  get isWatched(): boolean {
    return this.#isWatched;
  }

  /** Begins again (held.5). */
  begin(): void {
    this.#isOver = false;
  }

  /** @internal See {@link owned}. */
  ownedBy(object: object, views: ((object: never) => Iterable<object>) | undefined): void {
    this.#young = object;
    this.#views = views;
    this.#list.validation?.took(this);
    if (this.#isListed) return;
    this.#isListed = this.#list.listsOnce;
    this.#list.add(this);
  }

  /** Twice does nothing. */
  end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.ends++;
    this.#young = undefined;
    if (this.#isWatched) {
      this.#isWatched = false;
      collected.unregister(this);
      this.#list.activities?.ended(this);
    }
    this.#end(this as never);
  }

  /** @internal Whether it is still held; otherwise it is no longer listed. */
  staysListed(): boolean {
    const isHeld = this.#young !== undefined;
    this.#isListed = isHeld && this.#list.listsOnce;
    return isHeld;
  }

  /** @internal held.3. It is no longer listed. */
  watch(): void {
    const object = this.#young;
    this.#isListed = false;
    if (object === undefined) return;
    this.#young = undefined;
    this.#isWatched = true;
    this.forgetViews();
    const views = this.#views?.(object as never) ?? [];
    for (const view of views) owners.set(view, object);
    collected.register(object, this, this);
    this.#list.activities?.held(this, this.#list);
  }

  /** It is held for long: what it keeps for the next object is this one's, and goes with it. */
  protected forgetViews(): void {}

  /** held.4, for a view that is made later. */
  keepWith(view: object, object: object): void {
    if (this.#isWatched) owners.set(view, object);
  }

  /** @internal The object was collected. */
  forgotten(): void {
    if (this.isOver || this.#list.isClosed) return;
    const { host } = this.#list;
    try {
      const what = this.#what(this as never);
      if (what !== undefined) this.#list.complain(this, what);
      if (this.#giveBack === undefined) this.end();
      else this.#giveBack(this as never);
    } catch (error) {
      host.warn(`Cannot give back what was forgotten: ${textOf(error)}`);
    }
  }
}

/**
 * Names the object that ends something, and gives it back: no closure of the caller's sees it (held.1).
 *
 * @param views Those of bytes that an object has handed out, or will (held.4); not a closure over it.
 */
export function owned<T extends object>(held: Held, object: T, views?: (object: T) => Iterable<object>): T {
  held.ownedBy(object, views);
  return object;
}

/** Keys keep their values: a view its object. */
const owners = new WeakMap<object, object>();

const collected = new FinalizationRegistry<Held>((held) => held.forgotten());

/** Milliseconds. What is held longer is worth a finalizer; the time itself is of no importance. */
const YOUNG_MS = 100;

/** So many are listed before those that have ended are looked for. */
const LISTED = 64;

/** What was taken in an agent only just now. What has ended stays listed for a while: most of it begins again at once. */
export class HeldList implements HeldPlace {
  readonly host: Host;
  /** That of its agent. */
  validation: Validation | undefined = undefined;
  /** Tells other agents what is held for long. */
  activities: ActivityLog | undefined;
  youngSince = 0;
  /** Where each was taken, if that is to be known. */
  readonly #places: WeakMap<object, string> | undefined;
  #young: Held[] = [];
  #room = LISTED;
  #cancelTimer: (() => void) | undefined;
  #isClosed = false;

  /** @param isTraced Whether a warning says where the thing was taken. */
  constructor(host: Host, isTraced: boolean) {
    this.host = host;
    if (isTraced) this.#places = new WeakMap();
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Whether what is listed need not be added again; otherwise it says each time where it is taken. */
  get listsOnce(): boolean {
    return this.#places === undefined;
  }

  add(held: Held): void {
    if (this.#isClosed) return;
    if (this.#young.length >= this.#room) {
      this.forgetEnded();
      this.#room = Math.max(LISTED, 2 * this.#young.length);
    }
    this.#young.push(held);
    this.#places?.set(held, stackHere());
    if (this.#cancelTimer !== undefined) return;
    if (this.activities !== undefined) this.youngSince = this.host.nowNs();
    this.#cancelTimer = this.host.after(YOUNG_MS, () => this.age());
  }

  /** Lists no longer what has ended. To be called when what it was of is closed, and would stay in memory with it. */
  forgetEnded(): void {
    this.#young = this.#young.filter((held) => held.staysListed());
  }

  /** Warns of something that was forgotten. @param what Names it. */
  complain(held: Held, what: string): void {
    const message = `${what} was forgotten, and is given back now: end it by "using" or close()`;
    if (this.validation === undefined) this.host.warn(`${message}${this.#placeOf(held)}`);
    else this.validation.forgotten(held, message);
  }

  #placeOf(held: Held): string {
    const place = this.stackOf(held);
    if (place !== undefined) return `. It was taken here:\n${place}`;
    return this.#places === undefined ? ' (DMABUF_DEBUG=1, or the option "debug", says where it was taken)' : "";
  }

  stackOf(held: object): string | undefined {
    return this.#places?.get(held);
  }

  /** The agent has left: nothing that was held in it is any more. */
  close(): void {
    this.#isClosed = true;
    this.#cancelTimer?.();
    this.#young = [];
  }

  /** What was taken until now is no longer young: its time has passed, or this thread is blocked and its timer is. */
  age(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    const young = this.#young;
    this.#young = [];
    for (const held of young) held.watch();
  }
}
