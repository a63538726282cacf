/** Reservations against plain lists, over random histories of two agents. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { importFence } from "../../src/fence/import-fence.js";
import type { Fence } from "../../src/fence/fence.js";
import { unwrap } from "../../src/fence/unwrap.js";
import { DmaBufError } from "../../src/index.js";
import type { Reservation } from "../../src/reservation/reservation.js";
import { USAGES } from "../../src/reservation/usage.js";
import { ReservationModel, type ModelFence } from "./reservation-model.js";
import { makeLine } from "./reservation-support.js";
import { makeReservation, testAgent, type TestAgent } from "./support.js";
import { reservationAt } from "../reservation-at.js";

/** Two contexts of each agent, one on a timeline and one of single fences, with a few fences each. */
const KINDS = ["timeline", "timeline", "published", "published"] as const;
const FENCES = 5;
/** Twice as many fences as agents are room enough for three of the four contexts to fill it. */
const AGENTS = 2;

const fence = fc.record({ line: fc.nat(KINDS.length - 1), index: fc.nat(FENCES - 1) });
const level = fc.nat(USAGES.length - 1);

type Operation =
  | { readonly reserve: number }
  | { readonly add: FenceName; readonly level: number }
  | { readonly replace: number; readonly by: FenceName; readonly level: number }
  | { readonly copy: true };

interface FenceName {
  readonly line: number;
  readonly index: number;
}

const operation: fc.Arbitrary<Operation> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ reserve: fc.integer({ min: 1, max: 3 }) }) },
  { weight: 8, arbitrary: fc.record({ add: fence, level }) },
  { weight: 1, arbitrary: fc.record({ replace: fc.nat(KINDS.length - 1), by: fence, level }) },
  { weight: 1, arbitrary: fc.record({ copy: fc.constant(true as const) }) },
);

type Step =
  | {
      /** Which agent locks which reservation, and what it does there. */
      readonly agent: number;
      readonly target: number;
      readonly section: readonly Operation[];
    }
  | { readonly signal: FenceName };

const history: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    fc.record({ agent: fc.nat(1), target: fc.nat(1), section: fc.array(operation, { minLength: 1, maxLength: 4 }) }),
    fc.record({ signal: fence }),
  ),
  { maxLength: 20 },
);

/** Two reservations as both agents see them, and beside them what they should be. */
class World {
  readonly agents: TestAgent[];
  readonly models: ReservationModel[];
  readonly #lines: Fence[][];
  /** By agent, then by reservation. */
  readonly #reservations: Reservation[][];
  readonly #signaled = new Set<string>();

  constructor() {
    const first = testAgent({ sizes: { agents: AGENTS, oneShots: 64 } });
    this.agents = [first, first.another()];
    this.#lines = KINDS.map((kind, line) => makeLine(this.agents[line % 2]!, kind).fences(FENCES));
    const both = [makeReservation(first), makeReservation(first)];
    this.#reservations = [both, [0, 1].map((slot) => reservationAt(this.agents[1]!, slot))];
    const isSignaled = ({ context, seqno }: ModelFence): boolean => this.#signaled.has(`${context}:${seqno}`);
    this.models = both.map(() => new ReservationModel(2 * AGENTS, isSignaled));
  }

  do(step: Step): void {
    if ("signal" in step) {
      this.#signal(step.signal);
      return;
    }
    const [reservation, model] = [this.#reservations[step.agent]![step.target]!, this.models[step.target]!];
    using _lock = reservation.lockSync();
    model.lock();
    for (const operation of step.section) {
      const expected = this.#doToModel(step.target, operation);
      assert.equal(
        outcome(() => this.#doTo(step.agent, step.target, operation)),
        expected,
      );
    }
    this.#checkPlaces(reservation, model);
  }

  /** All that can be asked of a reservation, by every agent. */
  check(): void {
    for (const reservations of this.#reservations) {
      for (const [target, reservation] of reservations.entries()) this.#checkQueries(reservation, this.models[target]!);
    }
    for (const agent of this.agents) assert.deepEqual(agent.takeWarnings(), []);
  }

  #signal({ line, index }: FenceName): void {
    this.#lines[line]![index]!.signal();
    // A timeline's number completes all those before it.
    const first = KINDS[line] === "timeline" ? 0 : index;
    for (const { context, seqno } of this.#lines[line]!.slice(first, index + 1)) {
      this.#signaled.add(`${context}:${seqno}`);
    }
  }

  #doTo(agent: number, target: number, operation: Operation): void {
    const reservation = this.#reservations[agent]![target]!;
    if ("reserve" in operation) reservation.reserveFences(operation.reserve);
    else if ("copy" in operation) reservation.copyFences(this.#reservations[agent]![1 - target]!);
    else if ("add" in operation) reservation.addFence(this.#at(agent, operation.add), USAGES[operation.level]!);
    else {
      const { context } = this.#lines[operation.replace]![0]!;
      reservation.replaceFences(context, this.#at(agent, operation.by), USAGES[operation.level]!);
    }
  }

  #doToModel(target: number, operation: Operation): string | undefined {
    const model = this.models[target]!;
    if ("reserve" in operation) return model.reserve(operation.reserve);
    if ("copy" in operation) model.copy(this.models[1 - target]!);
    else if ("add" in operation) return model.add(this.#named(operation.add), operation.level);
    else model.replace(this.#lines[operation.replace]![0]!.context, this.#named(operation.by), operation.level);
    return undefined;
  }

  #named({ line, index }: FenceName): ModelFence {
    const { context, seqno } = this.#lines[line]![index]!;
    return { context, seqno };
  }

  /** The fence as this agent has it: its own, or one that it was sent. */
  #at(agent: number, { line, index }: FenceName): Fence {
    const fence = this.#lines[line]![index]!;
    return line % 2 === agent ? fence : importFence(this.agents[agent]!, fence.handle());
  }

  #checkPlaces(reservation: Reservation, model: ReservationModel): void {
    const places = [...reservation.lockedFences()].map(({ fence, usage }) => [
      ...(fence.isSignaled() ? ["signaled"] : [fence.context, fence.seqno]),
      usage,
    ]);
    const pending = new Set(model.pending(3));
    const expected = model.entries.map((entry) => [
      ...(pending.has(entry) ? [entry.fence.context, entry.fence.seqno] : ["signaled"]),
      USAGES[entry.level],
    ]);
    assert.deepEqual(places, expected);
  }

  #checkQueries(reservation: Reservation, model: ReservationModel): void {
    for (const [level, usage] of USAGES.entries()) {
      const pending = model.pending(level);
      const expected = pending.map(({ fence }) => [fence.context, fence.seqno]);
      const named = (fences: Iterable<Fence>): number[][] => [...fences].map(({ context, seqno }) => [context, seqno]);
      assert.deepEqual(named(reservation.getFences(usage)), expected);
      const iterated = [...reservation.fences(usage)];
      assert.deepEqual(named(iterated.map(({ fence }) => fence)), expected);
      assert.deepEqual(
        iterated.map(({ usage }) => usage),
        pending.map(({ level }) => USAGES[level]),
      );
      assert.equal(reservation.testSignaled(usage), pending.length === 0);
      assert.equal(reservation.waitSync(usage, { timeout: 0 }), pending.length === 0 ? "signaled" : "timed-out");
      const singleton = reservation.getSingleton(usage);
      assert.deepEqual(singleton === undefined ? [] : named(unwrap(singleton)), expected);
    }
  }
}

/** What an operation fails with, if it does. */
function outcome(run: () => void): string | undefined {
  try {
    run();
    return undefined;
  } catch (error) {
    if (error instanceof DmaBufError) return error.code;
    if (error instanceof RangeError) return "no room";
    throw error;
  }
}

test("two agents' reservations hold what plain lists say, place by place", () => {
  fc.assert(
    fc.property(history, (steps) => {
      const world = new World();
      for (const step of steps) {
        world.do(step);
        world.check();
      }
    }),
    { numRuns: 500 },
  );
});
