import { agentName } from "../domain/agent-slot.js";
import { isOwnKey, isKeySignaled } from "../domain/fence-slot.js";
import type { FenceKey } from "../domain/timeline-slot.js";
import type { Passage, Thing } from "../domain/validation.js";
import { ValidationReport, type ReportPlace } from "../validation-report.js";
import { circleOf } from "./circles.js";
import type { Hold, Went } from "./flows.js";
import { learn, learnedOrders, pend, type LearnedOrder, type Order } from "./order-table.js";
import { firstOf, Places } from "./places.js";
import { fenceWord, isAwaitedBy, isHeldBy, kindOf, nameOf, wordsOf } from "./thing.js";
import type { Check, Checker } from "./check.js";

/**
 * Learns in which order things are held and waited for, and reports the first order that closes a circle: then a deadlock
 * may happen, whether or not it ever does.
 *
 * order-check.1. An order "held → awaited" is learned when the one is given back by a flow that went through the other while
 *     it was held: so the holder has really waited for it. What another flow went through says nothing.
 * order-check.2. A fence that others know is held by all, until it signals. An order between two fences is none: each
 *     fence is one of its own, and the next one of its timeline may wait the other way round.
 * order-check.3. What was taken without a wait for it is awaited by none, and held as all else is.
 * order-check.4. Locks of one acquire context have no order among themselves: one that must give way does so.
 * order-check.5. A wait under something that its flow holds is pending once it has lasted, or blocks its thread. A circle of
 *     such waits is a deadlock if all of them go on: that is looked up in the words of locks, holds and fences.
 */

/** Of so many orders it is remembered that the table has them. */
const KNOWN = 4096;

/** What a flow of this agent went through. */
interface Passed extends Went {
  readonly validator: Checker;
  readonly word: bigint;
  readonly where: string;
  readonly by: object | undefined;
  /** What it has of it, to be given back. */
  readonly hold: Held | undefined;
  /** Whether it would have waited (order-check.3). */
  readonly isAwaited: boolean;
}

interface Held extends Hold {
  readonly word: bigint;
  readonly where: string;
  readonly by: object | undefined;
  isOver: boolean;
}

/** A wait under something that is held. */
interface PendingWait {
  readonly words: readonly bigint[];
  readonly where: string;
  readonly by: object | undefined;
  readonly holding: readonly Held[];
  /** What takes back that it is pending. */
  takeBack: (() => void)[] | undefined;
}

/** Milliseconds: what is to be given back at all is mostly given back in a shorter time. */
const PATIENCE = 1000;

export class OrderCheck implements Check {
  readonly #validator: Checker;
  readonly #held = new Map<object, Held>();
  /** Fences that others know, by their slots, the oldest first. */
  readonly #fences = new Map<number, (Held & { readonly key: FenceKey })[]>();
  readonly #places = new Places();
  readonly #known = new Set<string>();
  readonly #pending = new Set<PendingWait>();
  #isFull = false;

  constructor(validator: Checker) {
    this.#validator = validator;
    // A thread that is blocked has no timers.
    validator.agent.addInterrupt(() => {
      for (const wait of this.#pending) this.#lasts(wait);
    });
  }

  waits(thing: Thing, by?: object): Passage | undefined {
    const { agent, flows } = this.#validator;
    const words = wordsOf(agent, thing);
    const [first] = words;
    if (first === undefined) return undefined;
    const where = this.#places.at(`${first}`);
    const end = this.#pend({ words, where, by, holding: this.#holding, takeBack: undefined });
    return {
      over: (held) => {
        end?.();
        const at = flows.next();
        const hold = held && this.#hold(held, { since: at, word: first, where, by, isOver: false });
        const passed = { validator: this.#validator, at, where, by, hold, isAwaited: true };
        for (const word of words) flows.go({ ...passed, word } satisfies Passed as Went);
      },
    };
  }

  holds(held: object, thing: Thing, by?: object): void {
    const { agent, flows } = this.#validator;
    const word = wordsOf(agent, thing)[0]!;
    const at = flows.next();
    const where = this.#places.at(`${word}`);
    const hold = this.#hold(held, { since: at, word, where, by, isOver: false });
    const taken: Passed = { validator: this.#validator, at, where, by, word, hold, isAwaited: false };
    flows.go(taken);
  }

  released(held: object): void {
    const hold = this.#held.get(held);
    if (hold === undefined) return;
    this.#held.delete(held);
    this.#end(hold);
  }

  published(key: FenceKey): void {
    const { agent, flows } = this.#validator;
    if (!isOwnKey(agent, key) || isKeySignaled(agent, key)) return;
    const pending = this.#fences.get(key.slot) ?? [];
    if (pending.some((each) => each.key.generation === key.generation && each.key.sequence >= key.sequence)) return;
    const word = fenceWord(key);
    const fence = { since: flows.next(), word, where: this.#places.at(`${word}`), by: undefined, key, isOver: false };
    this.#fences.set(key.slot, [...pending, fence]);
    flows.hold(fence);
  }

  signaled({ slot, sequence }: FenceKey): void {
    const pending = this.#fences.get(slot);
    if (pending === undefined) return;
    const later = pending.filter(({ key }) => key.sequence > sequence);
    for (const fence of pending) if (!later.includes(fence)) this.#end(fence);
    if (later.length > 0) this.#fences.set(slot, later);
    else this.#fences.delete(slot);
  }

  close(): void {
    const { flows } = this.#validator;
    for (const hold of [...this.#held.values(), ...[...this.#fences.values()].flat()]) flows.letGo(hold);
    this.#held.clear();
    this.#fences.clear();
  }

  #hold(held: object, hold: Held): Held {
    this.#held.set(held, hold);
    this.#validator.flows.hold(hold);
    return hold;
  }

  /** What the flow that runs has now. */
  get #holding(): readonly Held[] {
    const mine = (this.#validator.flows.went as readonly Passed[]).filter((each) => each.validator === this.#validator);
    return [...new Set(mine.map(({ hold }) => hold))].filter((hold) => hold?.isOver === false) as Held[];
  }

  /** @returns What ends the wait; nothing if its flow has nothing that others may wait for. */
  #pend(wait: PendingWait): (() => void) | undefined {
    if (wait.holding.length === 0) return undefined;
    this.#pending.add(wait);
    const cancel = this.#validator.agent.host.after(PATIENCE, () => this.#lasts(wait));
    return () => {
      cancel();
      this.#pending.delete(wait);
      for (const takeBack of wait.takeBack ?? []) takeBack();
    };
  }

  /** order-check.5 */
  #lasts(wait: PendingWait): void {
    if (wait.takeBack !== undefined) return;
    const { agent } = this.#validator;
    const { identity } = agent;
    const holding = wait.holding.filter(({ isOver, by }) => !isOver && (by === undefined || by !== wait.by));
    const orders = holding.flatMap((hold) =>
      wait.words.map((awaited) => ({ held: hold.word, awaited, heldAt: hold.where, awaitedAt: wait.where })),
    );
    wait.takeBack = orders.map((order) =>
      pend(agent, { ...order, heldAt: firstOf(order.heldAt), awaitedAt: firstOf(order.awaitedAt) }),
    );
    const goOn = learnedOrders(agent).filter(
      ({ isPending, held, awaited, learner }) =>
        isPending && isHeldBy(agent, held, learner) && isAwaitedBy(agent, awaited, learner),
    );
    for (const order of orders) {
      if (!isAwaitedBy(agent, order.awaited, identity)) continue;
      const circle = circleOf({ ...order, learner: identity }, goOn);
      if (circle !== undefined) this.#report("deadlock", circle);
    }
  }

  /** order-check.1 */
  #end(hold: Held): void {
    const { flows } = this.#validator;
    hold.isOver = true;
    const since = flows.wentSince(hold) as readonly Passed[];
    flows.letGo(hold);
    for (const passed of since) {
      if (passed.validator === this.#validator && this.#isOrder(hold, passed)) this.#learn(hold, passed);
    }
  }

  #isOrder(hold: Held, passed: Passed): boolean {
    if (!passed.isAwaited || (hold.by !== undefined && hold.by === passed.by)) return false;
    return hold.word !== passed.word && (kindOf(hold.word) !== "fence" || kindOf(passed.word) !== "fence");
  }

  #learn(hold: Held, passed: Passed): void {
    const name = `${hold.word} ${passed.word}`;
    if (this.#known.has(name)) return;
    if (this.#known.size >= KNOWN) this.#known.clear();
    this.#known.add(name);
    const { agent } = this.#validator;
    const [held, awaited] = [hold.word, passed.word];
    const order: Order = { held, awaited, heldAt: firstOf(hold.where), awaitedAt: firstOf(passed.where) };
    const found = learn(agent, order);
    if (found === "full") this.#full();
    if (found === "known") return;
    const closing: LearnedOrder = { ...order, heldAt: hold.where, awaitedAt: passed.where, learner: agent.identity };
    const learned = learnedOrders(agent).filter(({ isPending }) => isPending !== true);
    const circle = circleOf(closing, learned);
    if (circle !== undefined) this.#report("lock-order", circle);
  }

  #report(code: "lock-order" | "deadlock", circle: readonly LearnedOrder[]): void {
    const { agent, reports } = this.#validator;
    const things = circle.map(({ held }) => nameOf(agent, held));
    const about = circle
      .map(({ held, awaited }) => `${held} ${awaited}`)
      .sort()
      .join();
    const first = nameOf(agent, circle[0]!.awaited);
    reports.say(code, about, () => {
      const what = `${things[0]} is held while ${first} is waited for`;
      const message =
        code === "deadlock"
          ? `Here is a deadlock: ${what}, and its holder waits in turn`
          : `A deadlock may happen: ${what}, and elsewhere it is the other way round`;
      return new ValidationReport(
        code,
        message,
        circle.flatMap((order) => this.#placesOf(order)),
        [...things, things[0]!],
      );
    });
  }

  #placesOf({ held, awaited, heldAt, awaitedAt, learner }: LearnedOrder): ReportPlace[] {
    const { agent } = this.#validator;
    const verb = kindOf(held) === "fence" ? "were made known" : "was taken";
    return [
      { what: `In agent "${agentName(agent, learner)}", ${nameOf(agent, held)} ${verb}`, where: heldAt },
      { what: `and then ${nameOf(agent, awaited)} was waited for`, where: awaitedAt },
    ];
  }

  #full(): void {
    if (this.#isFull) return;
    this.#isFull = true;
    const { host, layout } = this.#validator.agent;
    host.warn(`The validator can learn no more: all ${layout.sizes.orders} orders are in use (option "orders")`);
  }
}
