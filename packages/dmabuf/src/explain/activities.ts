import type { Activity, ActivityLog, Doing, HeldPlace, OngoingCall } from "../domain/activity.js";
import type { Agent } from "../domain/agent.js";
import { stackHere } from "../host/stack.js";
import { clearActivity, storeActivity } from "./activity-slot.js";
import { placeIn } from "../host/program-place.js";

/** What lasts longer is told to the other agents: milliseconds. */
const LASTS_MS = 100;

/** Says of what is waited for what it is, for an entry. */
export type ActivityOf = (doing: object) => Activity | undefined;

/** Says in an error of a wait what that waited for. */
export type Explain = (error: unknown, doing: object | undefined) => void;

/**
 * What this agent holds and waits for, as far as it lasts: the others find it in the table `activities`.
 *
 * activities.1. What is short costs no clock and no shared word: all calls that wait have one timer, which rests while each
 *     of them has its entry, and keeps no process alive.
 * activities.2. A thread that is blocked tells what it does itself, in its first turn after that time: what it holds, what
 *     its other calls wait for, and what blocks it.
 * activities.3. An entry's time is that of the timer before: it is up to that much too early.
 */
export class Activities implements ActivityLog {
  readonly explain: Explain;
  readonly #agent: Agent;
  readonly #activityOf: ActivityOf;
  /** Those that have no entry yet. */
  readonly #young = new Set<PendingCall>();
  /** The slots of what is held. */
  readonly #held = new Map<Doing, number>();
  #cancelTimer: (() => void) | undefined;
  /** When the timer began, monotonic nanoseconds. */
  #turn = 0;
  /** When this thread was blocked, and for what it has an entry. */
  #blockedSince = 0;
  #blockedSlot: number | undefined;

  constructor(agent: Agent, activityOf: ActivityOf, explain: Explain) {
    this.#agent = agent;
    this.#activityOf = activityOf;
    this.explain = explain;
  }

  begin(): PendingCall {
    return (latest = new PendingCall(this, this.#stackHere()));
  }

  gives(promise: Promise<unknown>): void {
    if (latest !== undefined) calls.set(promise, latest);
  }

  lasts(doing: object | undefined, ongoing?: OngoingCall): () => void {
    const call = ongoing instanceof PendingCall ? ongoing : new PendingCall(this, undefined);
    call.doing = doing;
    this.#arm();
    call.since = this.#turn;
    this.#young.add(call);
    return () => this.endOf(call);
  }

  /** A call no longer does what it did. */
  endOf(call: PendingCall): void {
    call.doing = undefined;
    this.#young.delete(call);
    if (call.slot !== undefined) this.#clear(call.slot);
    call.slot = undefined;
  }

  blockedLeft(doing: object): number {
    if (this.#blockedSlot !== undefined) return Infinity;
    const now = this.#agent.host.nowNs();
    if (this.#blockedSince === 0) this.#blockedSince = now;
    const left = LASTS_MS - (now - this.#blockedSince) / 1e6;
    if (left > 0) return left;
    // activities.2.
    this.#agent.held.age();
    this.#tellOf(this.#young);
    this.#blockedSlot = this.#store(this.#activityOf(doing), this.#blockedSince, this.#stackHere(), true) ?? NONE;
    return Infinity;
  }

  unblock(): void {
    if (this.#blockedSlot !== undefined && this.#blockedSlot !== NONE) this.#clear(this.#blockedSlot);
    this.#blockedSlot = undefined;
    this.#blockedSince = 0;
  }

  held(held: Doing, place: HeldPlace): void {
    const slot = this.#store(held.activity?.(), place.youngSince, place.stackOf(held), false);
    if (slot !== undefined) this.#held.set(held, slot);
  }

  ended(held: Doing): void {
    const slot = this.#held.get(held);
    if (slot !== undefined) this.#clear(slot);
    this.#held.delete(held);
  }

  /** The agent leaves: its entries are given back with all that it has. */
  close(): void {
    this.#cancelTimer?.();
    this.#young.clear();
    this.#held.clear();
  }

  #arm(): void {
    if (this.#cancelTimer !== undefined) return;
    const { host } = this.#agent;
    this.#turn = host.nowNs();
    this.#cancelTimer = host.after(LASTS_MS, () => this.#look());
  }

  #look(): void {
    this.#cancelTimer = undefined;
    const before = this.#turn;
    const due = [...this.#young].filter(({ since }) => since < before);
    this.#tellOf(due);
    if (this.#young.size > 0) this.#arm();
  }

  #tellOf(calls: Iterable<PendingCall>): void {
    for (const call of calls) {
      this.#young.delete(call);
      if (call.doing !== undefined)
        call.slot = this.#store(this.#activityOf(call.doing), call.since, call.stack, false);
    }
  }

  #store(
    activity: Activity | undefined,
    since: number,
    stack: string | undefined,
    blocks: boolean,
  ): number | undefined {
    if (activity === undefined || this.#agent.closed) return undefined;
    const { does, slot, generation = 0, number = 0 } = activity;
    return storeActivity(this.#agent, { does, slot, generation, number, since, blocks, place: placeIn(stack) });
  }

  /** Where this call is made, if the agent is to know that. */
  #stackHere(): string | undefined {
    return this.#agent.held.listsOnce ? undefined : stackHere();
  }

  #clear(slot: number): void {
    clearActivity(this.#agent, slot, this.#agent.identity);
  }
}

let latest: PendingCall | undefined;

/** What promises wait for. Keys keep their values: a promise its call. */
export const calls = new WeakMap<object, PendingCall>();

/** The call of this thread that began last. */
export function latestCall(): PendingCall | undefined {
  return latest;
}

/** In the place of a slot: it has no entry, and gets none. */
const NONE = -1;

/** A call that returns to the event loop until it goes on. */
export class PendingCall implements OngoingCall {
  /** What it does just now. */
  doing: object | undefined;
  since = 0;
  /** Of its entry. */
  slot: number | undefined;
  readonly stack: string | undefined;
  readonly #log: Activities;

  constructor(log: Activities, stack: string | undefined) {
    this.#log = log;
    this.stack = stack;
  }

  end(): void {
    this.#log.endOf(this);
  }
}
