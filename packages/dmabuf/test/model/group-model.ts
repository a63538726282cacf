import assert from "node:assert/strict";
import { markDead } from "../../src/domain/agent-slot.js";
import { CONSUMER, GROUP } from "../../src/domain/layout.js";
import { codeOf } from "../../src/errors.js";
import type { Consumer } from "../../src/stream/consumer.js";
import type { Frame } from "../../src/stream/frame.js";
import { findGroup, joinGroup } from "../../src/stream/stream-group.js";
import { leaveConsumer, type Policy } from "../../src/stream/stream-slot.js";
import type { Substrate } from "../../src/substrate/substrate.js";
import { landmark } from "../../src/testing/index.js";
import { ModelMemory } from "../../src/testing/model-memory.js";
import { faulty, SOUND, type Fault, type Program, type Scenario } from "./interleavings.js";
import {
  bytesOf,
  elsewhere,
  KEY,
  nothingIsHeld,
  ONE,
  openDomain,
  openStream,
  PRODUCER,
  produces,
  seeing,
  TWO,
} from "./stream-model.js";
import { identityOf, TinyDomain } from "./tiny-domain.js";

/**
 * A group of two members in two agents on the model, and a stream of one or two buffers. Each frame has two words of the
 * test's: how often it was worked on, and whether it was given back after that.
 */

const REAPER = 3;
const FRAMES = [1, 2, 3];

export const groups = new TinyDomain({ agents: 4, buffers: 2 }, [
  "buffer 0 BYTES",
  "buffer 1 BYTES",
  ...FRAMES.map((frame) => `frame ${frame} WORK`),
  ...FRAMES.map((frame) => `frame ${frame} GIVEN_BACK`),
]);

/** What can be asked of a member. */
interface MemberOptions {
  readonly policy?: Policy;
  readonly buffers?: number;
  /** How many frames at the most. */
  readonly most?: number;
  /** Whether it leaves with the last of them, or dies. */
  readonly keeps?: boolean;
  readonly diesWithIt?: boolean;
  /** Whether it joins now, and not before. */
  readonly joins?: boolean;
  readonly fault?: Fault | undefined;
}

/** A stream with frames 1 to `published`, and its two members. */
function prepared(
  published: number,
  { policy = "block", buffers = 2, ends = true }: { policy?: Policy; buffers?: number; ends?: boolean } = {},
): (memory: Substrate) => void {
  return (memory) => {
    openDomain(memory, groups);
    const producer = openStream(groups.agent(memory, PRODUCER), buffers, true);
    for (let frame = 1; frame <= published; frame++) {
      const loan = producer.loanSync()!;
      memory.store(bytesOf(loan, groups), frame);
      loan.publish();
    }
    for (const slot of [ONE, TWO]) join(memory, slot, { policy, buffers });
    if (ends) producer.end();
  };
}

function join(memory: Substrate, slot: number, options: MemberOptions, fault?: Fault, frames?: number[]): Consumer {
  const { policy = "block", buffers = 2 } = options;
  const state = frames === undefined ? {} : { state: () => frames.join() };
  const agent = groups.agent(memory, slot, { ...(fault && { fault }), ...state });
  return openStream(agent, buffers).frames({ policy, group: "" });
}

/** A member that `prepared` has joined: it works on frames until there are no more. @returns Their numbers. */
function works(slot: number, options: MemberOptions = {}): (memory: Substrate) => number[] {
  const { most = Infinity, keeps = false, diesWithIt = false, joins = false, fault = SOUND } = options;
  const scratch = new ModelMemory(groups.words);
  openDomain(scratch, groups);
  if (slot === TWO) join(scratch, ONE, options);
  return (memory) => {
    // The join that was made already is made here once more, where no agent sees it.
    let joining = !joins;
    const mark = scratch.mark();
    const frames: number[] = [];
    const there: Fault = (memory) => elsewhere(scratch, () => joining)(faulty(memory, fault));
    const consumer = join(memory, slot, options, there, frames);
    scratch.undo(mark);
    joining = false;
    while (frames.length < most) {
      const frame = nextOf(consumer);
      if (frame === undefined) break;
      const number = memory.load(bytesOf(frame, groups));
      frames.push(number);
      landmark(memory, `has ${bytesOf(frame, groups)}: ${frames.join()}`);
      if (diesWithIt) return frames;
      if (keeps && frames.length === most) break;
      assert.equal(memory.load(givenBack(number)), 0, `frame ${number} was given back before`);
      memory.add(groups.extra(`frame ${number} WORK`), 1);
      frame.close();
      memory.store(givenBack(number), 1);
      landmark(memory, `has done ${frames.join()}`);
    }
    consumer.close();
    return frames;
  };
}

/** Nothing, too, if the producer has died. */
function nextOf(consumer: Consumer): Frame | undefined {
  try {
    return consumer.nextSync();
  } catch (error) {
    assert.equal(codeOf(error), "ESRCH");
    return undefined;
  }
}

function givenBack(frame: number): number {
  return groups.extra(`frame ${frame} GIVEN_BACK`);
}

/**
 * Each frame up to a number must be worked on: once, and in order of arrival, if no member has died.
 *
 * @param again Whether a frame comes to a member after later ones: another has kept it.
 */
function sharing(frames: number, scenario: Scenario, again = false): Scenario {
  return {
    // That a member gives up waiting for another one's turn is left to another exploration.
    timeouts: false,
    ...scenario,
    check(memory, { results, crashed }) {
      const times = FRAMES.slice(0, frames).map((frame) => memory.load(groups.extra(`frame ${frame} WORK`)));
      assert.ok(
        times.every((count) => count >= 1),
        `frames were worked on ${times.join()} times`,
      );
      const most = frames + (crashed.length > 0 ? 1 : 0);
      const sum = times.reduce((all, count) => all + count);
      assert.ok(sum <= most, `frames were worked on ${times.join()} times`);
      for (const seen of Object.values(results)) {
        if (Array.isArray(seen) && !again && crashed.length === 0)
          assert.deepEqual(seen, [...(seen as number[])].sort(), "not in order of arrival");
      }
      nothingIsHeld(memory, groups);
    },
  };
}

/** A death of one agent at any step, which is in slot ONE. */
function dying(agent: string): NonNullable<Scenario["crash"]> {
  return { agents: [agent], recover: { reaper: (memory: Substrate) => groups.recover(memory, REAPER, ONE) } };
}

/** Each frame is one member's. */
export function shares(fault?: Fault): Scenario {
  return sharing(2, { prepare: prepared(2), agents: { one: works(ONE, { fault }), two: works(TWO) } });
}

/** A member dies at any step, and another does what it has not done. */
export function dies(frames: number, fault?: Fault): Scenario {
  const agents = { one: works(ONE, { most: 1 }), two: works(TWO, { fault }) };
  return sharing(frames, { prepare: prepared(frames), agents, crash: dying("one") });
}

/** A member leaves without giving its frame back. */
export function leaves(fault?: Fault): Scenario {
  const agents = { one: works(ONE, { most: 1, keeps: true, fault }), two: works(TWO) };
  return sharing(2, { prepare: prepared(2), agents }, true);
}

/** A producer waits for a member. */
export function isHeldBack({ ofProducer, ofMember }: { ofProducer?: Fault; ofMember?: Fault } = {}): Scenario {
  const buffers = 1;
  const agents = {
    producer: produces(2, { on: groups, buffers, fault: ofProducer }),
    one: works(ONE, { buffers, fault: ofMember }),
  };
  return sharing(2, { prepare: prepared(0, { buffers, ends: false }), agents });
}

/** A member has died with a frame, its reaper is stopped, and another member lives; the producer wants the buffer. */
export function isKeptForOthers(fault?: Fault): Scenario {
  const buffers = 1;
  const prepare = prepared(1, { buffers, ends: false });
  const scenario = sharing(2, {
    prepare(memory) {
      prepare(memory);
      works(ONE, { buffers, most: 1, diesWithIt: true })(memory);
      markDead(groups.member(memory, REAPER), identityOf(ONE));
    },
    agents: {
      producer: produces(2, { on: groups, buffers, from: 1, fault }),
      two: works(TWO, { buffers }),
    },
  });
  return {
    ...scenario,
    check(memory, outcome) {
      groups.recover(memory, REAPER, ONE);
      scenario.check!(memory, outcome);
    },
  };
}

/** A producer dies at any step while it fills the place of a frame that is done, and a member looks then. */
export function losesProducer(fault?: Fault): Scenario {
  const buffers = 1;
  const prepare = prepared(1, { buffers, ends: false });
  const looks = works(TWO, { buffers });
  return {
    prepare(memory) {
      prepare(memory);
      works(ONE, { buffers, most: 1 })(memory);
    },
    agents: { producer: produces(2, { on: groups, buffers, from: 1, fault }) },
    crash: {
      recover: {
        two(memory) {
          groups.recover(memory, REAPER, PRODUCER);
          return looks(memory);
        },
      },
    },
    check(memory, { results }) {
      assert.ok(
        ["", "2", undefined].includes(results["two"]?.toString()),
        `a member has seen ${String(results["two"])}`,
      );
      nothingIsHeld(memory, groups);
    },
  };
}

/** A consumer joins a group at any time: of what it gets, it misses nothing. */
export function joinsAtAnyTime(): Scenario {
  const buffers = 1;
  return seeing([[1, 2], [2]], {
    timeouts: false,
    prepare(memory) {
      openDomain(memory, groups);
      // Its name is there: how it gets there is left to another exploration.
      join(memory, ONE, { buffers }).close();
    },
    agents: {
      producer: produces(2, { on: groups, buffers }),
      one: (memory) => ({ frames: works(ONE, { buffers, joins: true })(memory), end: "" }),
    },
    check: (memory) => nothingIsHeld(memory, groups),
  });
}

/**
 * A consumer joins a group that may lose frames, in a place that a member of another group has left, and leaves it;
 * between any two steps a producer may fill the places.
 */
export function isCounted(fault: Fault = SOUND): Scenario {
  const prepare = prepared(2);
  return {
    prepare(memory) {
      prepare(memory);
      for (const slot of [ONE, TWO]) leaveConsumer(groups.member(memory, slot), KEY.slot, placeOf(slot));
    },
    agents: {
      one(memory) {
        const member = groups.member(faulty(memory, fault), ONE);
        leaveConsumer(member, KEY.slot, joinGroup(member, KEY, "other", "newest").word);
      },
      onlooker: (memory) => groups.member(memory, PRODUCER).protocol.mayLoan(KEY.slot, 2, 0, 0),
    },
    check: (_memory, { results }) => assert.equal(results["onlooker"], 1, "the producer is held back"),
  };
}

/** A member has waited for longer than another one that asks for the only frame. */
export function hasTurn(fault?: Fault): Scenario {
  const turned = turn(TWO);
  const scenario = sharing(1, {
    prepare: turned(prepared(1, { buffers: 1 })),
    agents: { one: works(ONE, { buffers: 1, fault }), two: works(TWO, { buffers: 1 }) },
  });
  return {
    ...scenario,
    check(memory, outcome) {
      scenario.check!(memory, outcome);
      assert.deepEqual(outcome.results, { one: [], two: [1] }, "the one that has waited has not got it");
    },
  };
}

/** As before, but it is stopped. */
export function losesTurn(fault?: Fault): Scenario {
  return sharing(1, {
    prepare: turn(TWO)(prepared(1, { buffers: 1 })),
    agents: { one: works(ONE, { buffers: 1, fault }) },
    timeouts: true,
  });
}

/** A member has begun to wait. */
function turn(slot: number): (prepare: (memory: Substrate) => void) => (memory: Substrate) => void {
  return (prepare) => (memory) => {
    prepare(memory);
    memory.store(placeOf(slot) + CONSUMER.TURN, 1);
    memory.store(GROUP_AT + GROUP.TURNS, 1);
  };
}

export const GROUP_AT = groups.layout.stream(KEY.slot) + groups.layout.STREAM.SHARING;

/** The first word of a member's place. */
export function placeOf(slot: number): number {
  return groups.layout.stream(KEY.slot) + groups.layout.STREAM.JOINED + (slot - ONE) * CONSUMER.WORDS;
}

/** Members look for their groups at the same time, and one of them may die. */
export function findsGroup(names: readonly string[], fault: Fault = SOUND): Scenario {
  const joins = (name: string, slot: number): Program => {
    return (memory) => findGroup(groups.member(faulty(memory, fault), slot), KEY.slot, name);
  };
  return {
    // That two find the same word, or that one finds its own, makes no difference afterwards.
    landmarks: false,
    prepare: (memory) => openDomain(memory, groups),
    agents: Object.fromEntries(names.map((name, i) => [`${i} ${name}`, joins(name, i)])),
    crash: { agents: [`0 ${names[0]}`] },
    check(_memory, { results, crashed }) {
      const found = new Map<string, unknown>();
      const entries = Object.entries(results).filter(([agent]) => !crashed.includes(agent));
      for (const [agent, group] of entries) {
        const name = agent.slice(2);
        assert.equal(found.get(name) ?? group, group, `there are two groups "${name}"`);
        found.set(name, group);
      }
      assert.equal(new Set(found.values()).size, found.size, "two names are of one group");
    },
  };
}
