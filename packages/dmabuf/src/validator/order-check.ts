import { agentName } from "../domain/agent-slot.js";
import { isOwnKey, isKeySignaled } from "../domain/fence-slot.js";
import type { FenceKey } from "../domain/timeline-slot.js";
import type { Passage, Thing } from "../domain/validation.js";
import { ValidationReport, type ReportPlace } from "../validation-report.js";
import { circleOf } from "./circles.js";
import type { Hold, Went } from "./flows.js";
import { learn, learnedOrders, type LearnedOrder, type Order } from "./order-table.js";
import { firstOf, Places } from "./places.js";
import { fenceWord, kindOf, nameOf, wordsOf } from "./thing.js";
import type { Check, Validator } from "./validator.js";

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
 */

/** Of so many orders it is remembered that the table has them. */
const KNOWN = 4096;

/** What a flow of this agent went through. */
interface Passed extends Went {
  readonly validator: Validator;
  readonly word: bigint;
  readonly where: string;
  readonly by: object | undefined;
}

interface Held extends Hold {
  readonly word: bigint;
  readonly where: string;
  readonly by: object | undefined;
}

export class OrderCheck implements Check {
  readonly #validator: Validator;
  readonly #held = new Map<object, Held>();
  /** Fences that others know, by their slots, the oldest first. */
  readonly #fences = new Map<number, (Held & { readonly key: FenceKey })[]>();
  readonly #places = new Places();
  readonly #known = new Set<string>();
  #isFull = false;

  constructor(validator: Validator) {
    this.#validator = validator;
  }

  waits(thing: Thing, by?: object): Passage | undefined {
    const { agent, flows } = this.#validator;
    const words = wordsOf(agent, thing);
    const [first] = words;
    if (first === undefined) return undefined;
    const where = this.#places.at(`${first}`);
    return {
      over: (held) => {
        const at = flows.next();
        for (const word of words)
          flows.go({ validator: this.#validator, at, word, where, by } satisfies Passed as Went);
        if (held !== undefined) this.#hold(held, { since: at, word: first, where, by });
      },
    };
  }

  holds(held: object, thing: Thing, by?: object): void {
    const { agent, flows } = this.#validator;
    const word = wordsOf(agent, thing)[0]!;
    this.#hold(held, { since: flows.next(), word, where: this.#places.at(`${word}`), by });
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
    const fence = { since: flows.next(), word, where: this.#places.at(`${word}`), by: undefined, key };
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

  #hold(held: object, hold: Held): void {
    this.#held.set(held, hold);
    this.#validator.flows.hold(hold);
  }

  /** order-check.1 */
  #end(hold: Held): void {
    const { flows } = this.#validator;
    const since = flows.wentSince(hold) as readonly Passed[];
    flows.letGo(hold);
    for (const passed of since) {
      if (passed.validator === this.#validator && this.#isOrder(hold, passed)) this.#learn(hold, passed);
    }
  }

  #isOrder(hold: Held, passed: Passed): boolean {
    if (hold.by !== undefined && hold.by === passed.by) return false;
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
    const circle = circleOf(closing, learnedOrders(agent));
    if (circle !== undefined) this.#report(circle);
  }

  #report(circle: readonly LearnedOrder[]): void {
    const { agent, reports } = this.#validator;
    const things = circle.map(({ held }) => nameOf(agent, held));
    const about = circle
      .map(({ held, awaited }) => `${held} ${awaited}`)
      .sort()
      .join();
    const first = nameOf(agent, circle[0]!.awaited);
    reports.say("lock-order", about, () => {
      const message = `A deadlock may happen: ${things[0]} is held while ${first} is waited for, and elsewhere it is the other way round`;
      return new ValidationReport(
        "lock-order",
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
