import assert from "node:assert/strict";
import { markDead, type Identity } from "../../src/domain/agent-slot.js";
import { CONSUMER } from "../../src/domain/layout.js";
import { release, sweep } from "../../src/domain/recovery.js";
import { ERRNO } from "../../src/errors.js";
import {
  claimStream,
  consumerCount,
  endStream,
  hasProducer,
  joinStream,
  leaveConsumer,
  leaveStream,
  slowConsumers,
  STREAM_RECOVERY,
  streamEnd,
} from "../../src/stream/stream-slot.js";
import type { Substrate } from "../../src/substrate/substrate.js";
import { landmark } from "../../src/testing/index.js";
import { SOUND, faulty, type Fault, type Program, type Scenario } from "./interleavings.js";
import {
  domain,
  failure,
  FIRST_CONSUMER,
  joins,
  KEY,
  ONE,
  openDomain,
  PRODUCER,
  produces,
  REAPER,
  scenario,
  seeing,
  TWO,
} from "./stream-model.js";
import { identityOf } from "./tiny-domain.js";

// What others see of a stream between any two steps of those who join it, leave it, claim it or end it.

/** What an onlooker has seen of the consumers, all at some moment. */
interface Onlook {
  readonly count: number;
  readonly slow: readonly Identity[];
  /** -1 for no frame. */
  readonly heldBackFrom: number;
}

/**
 * A consumer joins a stream with two frames and leaves it, while an onlooker looks between any two steps, and another
 * one joins and stays; or without that one, but the consumer may die.
 */
export function isLookedAt(fault: Fault = SOUND, { dies = false } = {}): Scenario {
  const crash = {
    agents: ["consumer"],
    recover: { reaper: (memory: Substrate) => domain.recover(memory, REAPER, ONE) },
  };
  return {
    prepare(memory) {
      openDomain(memory);
      const producer = domain.member(memory, PRODUCER);
      for (const place of [0, 1]) {
        producer.protocol.publish(KEY.slot, KEY.generation, place, 0, producer.identity);
      }
      // What an earlier consumer has left in the place.
      memory.store(FIRST_CONSUMER + CONSUMER.CURSOR, 1000);
    },
    agents: {
      consumer(memory) {
        const member = domain.member(faulty(memory, fault), ONE);
        leaveConsumer(member, KEY.slot, joinStream(member, KEY, "block", 2).word);
      },
      other: (memory) => void (dies || joinStream(domain.member(memory, PRODUCER), KEY, "block", 2)),
      onlooker(memory): Onlook {
        const member = domain.member(memory, TWO);
        return {
          count: consumerCount(member, KEY),
          slow: slowConsumers(member, KEY),
          heldBackFrom: member.protocol.heldBackFrom(KEY.slot, 0),
        };
      },
    },
    ...(dies && { crash }),
    check(memory, { results }) {
      const { count, slow, heldBackFrom } = results["onlooker"] as Onlook;
      const agents = [ONE, PRODUCER].map(identityOf);
      assert.ok(count <= 2);
      assert.ok(
        slow.every((identity) => agents.includes(identity)),
        `the producer waits for ${slow.join()}`,
      );
      assert.ok(heldBackFrom <= 0, `the producer is held back from ${heldBackFrom}`);
      assert.equal(consumerCount(domain.segment(memory), KEY), dies ? 0 : 1, "those who have stayed");
    },
  };
}

/** A producer waits until a consumer has joined, and publishes three frames then; the consumer is to get them all. */
export function isWaitedFor({
  ofProducer = SOUND,
  ofConsumer = SOUND,
}: { ofProducer?: Fault; ofConsumer?: Fault } = {}) {
  const waits: Program = (memory) => {
    const agent = domain.agent(memory, PRODUCER, { fault: ofProducer, state: () => "no consumer has joined" });
    const arm = (): void => agent.protocol.armProducer(KEY.slot);
    agent.waitSync({ arm, ready: () => consumerCount(agent, KEY) >= 1 });
    landmark(memory, "a consumer has joined");
    return produces(3, { fault: ofProducer })(memory);
  };
  return seeing([[1, 2, 3]], scenario([waits, joins(ONE, "block", { fault: ofConsumer })], []));
}

/**
 * A producer leaves a stream that it has ended, or is dead, and another stream takes the slot: who looks for a producer
 * sees it go, once.
 */
export function isLookedFor(death: boolean, fault: Fault = SOUND): Scenario {
  return {
    prepare(memory) {
      openDomain(memory);
      endStream(domain.member(memory, PRODUCER), KEY, 0);
      if (death) markDead(domain.member(memory, REAPER), identityOf(PRODUCER));
    },
    agents: {
      producer: (memory) => {
        if (death) domain.recover(faulty(memory, fault), REAPER, PRODUCER);
        else leaveStream(domain.member(faulty(memory, fault), PRODUCER), KEY);
      },
      next: (memory) => failure(() => void claimStream(domain.member(memory, TWO), "", [])),
      onlooker: (memory) => [1, 2].map(() => hasProducer(domain.member(memory, ONE), KEY)),
    },
    check(_memory, { results }) {
      const [first, second] = results["onlooker"] as boolean[];
      assert.ok(first || !second, "a producer that had gone was there again");
    },
  };
}

/** Two survivors fail the streams of a dead producer, the reaper sweeps them, and a newcomer takes the slot. */
export function failsTooLate(fault: Fault = SOUND): Scenario {
  const [dead, steps] = [identityOf(PRODUCER), [STREAM_RECOVERY]];
  return {
    prepare(memory) {
      openDomain(memory);
      markDead(domain.member(memory, REAPER), identityOf(PRODUCER));
    },
    agents: {
      survivor: (memory) => release(domain.member(faulty(memory, fault), ONE), dead, steps, ERRNO.ESRCH, 1),
      reaper: (memory) => {
        release(domain.member(memory, REAPER), dead, steps, ERRNO.ESRCH, 1);
        sweep(domain.member(memory, REAPER), dead, steps);
      },
      next: (memory) => failure(() => void claimStream(domain.member(memory, TWO), "", [])),
    },
    check(memory, { results: { next } }) {
      const segment = domain.segment(memory);
      if (next !== undefined) return assert.equal(streamEnd(segment, KEY), ERRNO.ESRCH);
      assert.equal(streamEnd(segment, { ...KEY, generation: 2 }), undefined, "the next stream has failed");
      assert.ok(hasProducer(segment, { ...KEY, generation: 2 }), "the next stream has no producer");
    },
  };
}
