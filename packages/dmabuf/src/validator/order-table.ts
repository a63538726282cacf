import { isLive, type Identity, type Member } from "../domain/agent-slot.js";
import { ORDER, ORDER_PHASE, ORDER_STATE, SITE_WORDS, type Segment } from "../domain/layout.js";
import { raiseTo, usedSlots, usedWord } from "../domain/table.js";
import { readText, writeText } from "../domain/text.js";
import { isGone } from "./thing.js";

/**
 * The orders that all agents of a domain have learned: one thing was waited for while another was held. The table is a set;
 * it has room for so many as the option "orders" says.
 *
 * order-table.1. A slot is claimed by one exchange that names the claimer and raises the version; it is LIVE by one store
 *     after all its words were written. No agent believes a slot that is not.
 * order-table.2. A reader looks at the state again after it has read: a slot that was claimed in between is no order.
 * order-table.3. A slot is claimed again if its claimer has died, or if one of its things is gone. Both are so for good:
 *     what two agents find so they may both try to claim, and one of them gets it.
 * order-table.4. An order is stored before circles are looked for: of two agents that each close the same circle at the same
 *     time, one at least sees the other's order.
 * order-table.5. Two agents that learn the same order at the same time may both store it: a circle is none the worse.
 * order-table.6. An order that is pending is a wait of one agent that goes on, and is taken back by that agent at its end.
 */
export interface Order {
  /** Words of things (thing.ts). */
  readonly held: bigint;
  readonly awaited: bigint;
  /** Where in the code each was taken, or waited for. */
  readonly heldAt: string;
  readonly awaitedAt: string;
  /** order-table.6 */
  readonly isPending?: boolean;
}

/** An order that is in the table. */
export interface LearnedOrder extends Order {
  readonly learner: Identity;
}

/** Adds an order; `"known"` if it is there already, `"full"` if there is no room. */
export function learn(member: Member, order: Order): "known" | "learned" | "full" {
  const stored = store(member, order);
  return stored === undefined ? "full" : stored.isNew ? "learned" : "known";
}

/** A wait of this agent has lasted. @returns What takes it back. */
export function pend(member: Member, order: Order): () => void {
  const stored = store(member, { ...order, isPending: true });
  return stored?.isNew === true ? () => takeBack(member, stored.slot) : () => {};
}

/** order-table.6; unless its slot is another's by now, since a thing is gone. */
function takeBack({ memory, layout, identity }: Member, slot: number): void {
  const base = layout.order(slot);
  const state = memory.load64(base + ORDER.STATE);
  const isMine = memory.load(base + ORDER.LEARNER) === identity && memory.load(base + ORDER.PENDING) === 1;
  if (!isMine || ORDER_STATE.phase.in(state) !== ORDER_PHASE.LIVE) return;
  const free = stateOf(ORDER_PHASE.FREE, ORDER_STATE.version.in(state) + 1, 0);
  memory.compareExchange64(base + ORDER.STATE, state, free);
}

function store(member: Member, order: Order): { readonly slot: number; readonly isNew: boolean } | undefined {
  const { memory, layout } = member;
  for (;;) {
    const used = usedSlots(member, "orders");
    let free: { readonly slot: number; readonly state: bigint } | undefined;
    for (let slot = 0; slot < used; slot++) {
      const state = memory.load64(layout.order(slot) + ORDER.STATE);
      if (isSame(member, slot, state, order)) return { slot, isNew: false };
      if (free === undefined && isFree(member, slot, state)) free = { slot, state };
    }
    if (free === undefined) {
      if (used === layout.sizes.orders) return undefined;
      raiseTo(memory, usedWord("orders"), used + 1);
    } else if (claim(member, free.slot, free.state)) {
      publish(member, free.slot, order);
      return { slot: free.slot, isNew: true };
    }
  }
}

/** All orders of things that are there. */
export function learnedOrders(segment: Segment): LearnedOrder[] {
  const orders: LearnedOrder[] = [];
  for (let slot = 0, used = usedSlots(segment, "orders"); slot < used; slot++) {
    const order = read(segment, slot);
    if (order !== undefined && !isGone(segment, order.held) && !isGone(segment, order.awaited)) orders.push(order);
  }
  return orders;
}

/** order-table.2 */
function read({ memory, layout }: Segment, slot: number): LearnedOrder | undefined {
  const base = layout.order(slot);
  const state = memory.load64(base + ORDER.STATE);
  if (ORDER_STATE.phase.in(state) !== ORDER_PHASE.LIVE) return undefined;
  const order = {
    held: memory.load64(base + ORDER.HELD),
    awaited: memory.load64(base + ORDER.AWAITED),
    heldAt: readText(memory, base + ORDER.HELD_AT, SITE_WORDS),
    awaitedAt: readText(memory, base + ORDER.AWAITED_AT, SITE_WORDS),
    learner: memory.load(base + ORDER.LEARNER),
    isPending: memory.load(base + ORDER.PENDING) === 1,
  };
  return memory.load64(base + ORDER.STATE) === state ? order : undefined;
}

function isSame({ memory, layout, identity }: Member, slot: number, state: bigint, order: Order): boolean {
  const base = layout.order(slot);
  const isPending = order.isPending === true;
  return (
    memory.load(base + ORDER.PENDING) === Number(isPending) &&
    (!isPending || memory.load(base + ORDER.LEARNER) === identity) &&
    ORDER_STATE.phase.in(state) === ORDER_PHASE.LIVE &&
    memory.load64(base + ORDER.HELD) === order.held &&
    memory.load64(base + ORDER.AWAITED) === order.awaited &&
    memory.load64(base + ORDER.STATE) === state
  );
}

/** order-table.3 */
function isFree(segment: Segment, slot: number, state: bigint): boolean {
  const phase = ORDER_STATE.phase.in(state);
  if (phase === ORDER_PHASE.CLAIMED) return !isLive(segment, ORDER_STATE.claimer.in(state) | 0);
  if (phase === ORDER_PHASE.FREE) return true;
  const { memory, layout } = segment;
  const base = layout.order(slot);
  // The wait of an agent that is no more has ended.
  const isLeft = memory.load(base + ORDER.PENDING) === 1 && !isLive(segment, memory.load(base + ORDER.LEARNER));
  return (
    isLeft || isGone(segment, memory.load64(base + ORDER.HELD)) || isGone(segment, memory.load64(base + ORDER.AWAITED))
  );
}

/** order-table.1 */
function claim({ memory, layout, identity }: Member, slot: number, state: bigint): boolean {
  const claimed = stateOf(ORDER_PHASE.CLAIMED, ORDER_STATE.version.in(state) + 1, identity);
  return memory.compareExchange64(layout.order(slot) + ORDER.STATE, state, claimed) === state;
}

function publish({ memory, layout, identity }: Member, slot: number, order: Order): void {
  const base = layout.order(slot);
  memory.store64(base + ORDER.HELD, order.held);
  memory.store64(base + ORDER.AWAITED, order.awaited);
  memory.store(base + ORDER.LEARNER, identity);
  memory.store(base + ORDER.PENDING, order.isPending === true ? 1 : 0);
  writeText(memory, base + ORDER.HELD_AT, SITE_WORDS, order.heldAt);
  writeText(memory, base + ORDER.AWAITED_AT, SITE_WORDS, order.awaitedAt);
  const version = ORDER_STATE.version.in(memory.load64(base + ORDER.STATE));
  // SYNC POINT order-before-live: pairs with read().
  memory.store64(base + ORDER.STATE, stateOf(ORDER_PHASE.LIVE, version, 0));
}

function stateOf(phase: number, version: number, claimer: Identity): bigint {
  return ORDER_STATE.phase.of(phase) | ORDER_STATE.version.of(version) | ORDER_STATE.claimer.of(claimer);
}
