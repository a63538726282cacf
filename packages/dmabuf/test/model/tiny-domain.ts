import type { RequestFields } from "../../src/buffer/request-slot.js";
import { Agent } from "../../src/domain/agent.js";
import { claimAgentSlot, type Identity, type Member } from "../../src/domain/agent-slot.js";
import { writeHeader } from "../../src/domain/header.js";
import { AGENT, BUFFER, IDENTITY, Layout, type Segment, type Sizes } from "../../src/domain/layout.js";
import { SIZE_NAMES } from "../../src/domain/sizes.js";
import { usedWord } from "../../src/domain/table.js";
import { recover } from "../../src/domain/recovery.js";
import { recoveryOf } from "../../src/domain/feature.js";
import { FEATURES } from "../../src/features.js";
import type { Substrate } from "../../src/substrate/substrate.js";
import { landmark, modelHost } from "../../src/testing/index.js";
import { wordName } from "../word-names.js";
import { faulty, SOUND, type Fault } from "./interleavings.js";
import { segmentOf } from "../../src/domain/segment-protocol.js";

const RECOVERY = recoveryOf(FEATURES);

/** A domain small enough to try every interleaving on it, and words behind it for what a test wants to share. */
export class TinyDomain {
  readonly layout: Layout;
  readonly words: number;
  readonly #extra: readonly string[];
  readonly #bells: readonly number[];
  readonly #uncounted: readonly number[];

  /**
   * @param extra Names of words that the test itself uses; see {@link TinyDomain.extra}.
   * @param countsContents Whether buffers' CONTENT rises. Else it stays 0, as a number at which no agent looks would only
   * tell moments apart.
   */
  constructor(sizes: Partial<Sizes> = {}, extra: readonly string[] = [], { countsContents = false } = {}) {
    this.layout = new Layout({
      agents: 3,
      buffers: 1,
      timelines: 1,
      oneShots: 1,
      streams: 1,
      requests: 1,
      syncobjs: 1,
      userFences: 1,
      orders: 0,
      activities: 1,
      copies: 1,
      ...sizes,
    });
    this.#extra = extra;
    this.words = this.layout.words + extra.length;
    this.#bells = Array.from({ length: this.layout.sizes.agents }, (_, i) => this.layout.agent(i) + AGENT.DOORBELL);
    const buffers = countsContents ? 0 : this.layout.sizes.buffers;
    this.#uncounted = Array.from({ length: buffers }, (_, i) => this.layout.buffer(i) + BUFFER.CONTENT);
  }

  /** Makes the memory a domain whose first `joined` agents are joined. Its slots can be used without being claimed. */
  open(memory: Substrate, joined: number): void {
    writeHeader(memory, this.layout.sizes, [1, 2, 3, 4]);
    for (const table of SIZE_NAMES) memory.store(usedWord(table), this.layout.sizes[table]);
    for (let slot = 0; slot < joined; slot++) claimAgentSlot(segmentOf(memory, this.layout), "");
  }

  /** The domain as the protocols of the slots see it. */
  segment(memory: Substrate): Segment {
    return segmentOf(counting(memory, this.#bells, this.#uncounted), this.layout);
  }

  /** The agent that joined first in a slot, for the protocols of the slots. */
  member(memory: Substrate, slot: number): Member {
    return { ...this.segment(memory), identity: identityOf(slot) };
  }

  /** The same for the layers above; make one in each run. */
  agent(memory: Substrate, slot: number, { fault = SOUND, knows = [], arms = [], state }: AgentOptions = {}): Agent {
    const known = new Map<number, number | bigint>();
    const note = <Value extends number | bigint>(word: number, old: Value, expected: Value, put: Value): Value => {
      if (old === expected && knows.includes(word)) known.set(word, put);
      return old;
    };
    let due = 0;
    const mark = (place: string): void => {
      if (state !== undefined) landmark(memory, `${place} ${[...known].join(" ")} ${state()}`);
    };
    const view = faulty(faulty(this.segment(memory).memory, fault), (memory) => ({
      load: (word) => {
        if (word !== this.#bells[slot]) return memory.load(word);
        mark("waits");
        memory.store(word, 0);
        return 0;
      },
      or: (word, bits) => {
        const old = memory.or(word, bits);
        if (!arms.includes(word)) return old;
        mark(`armed ${word}`);
        return NaN;
      },
      add: (word, amount) => {
        const old = memory.add(word, amount);
        if (this.#bells.includes(word)) due &= ~(1 << this.#bells.indexOf(word));
        return note(word, old, old, old + amount);
      },
      exchange: (word, value) => {
        const old = memory.exchange(word, value);
        if (arms.includes(word)) due = old;
        return old;
      },
      wake: (word) => {
        memory.wake(word);
        if (arms.length > 0) mark(`rang, due ${due}`);
        return NaN;
      },
      compareExchange: (word, expected, put) => note(word, memory.compareExchange(word, expected, put), expected, put),
      compareExchange64: (word, expected, put) =>
        note(word, memory.compareExchange64(word, expected, put), expected, put),
    }));
    return new Agent(segmentOf(view, this.layout), identityOf(slot), modelHost(memory));
  }

  /** Gives back what the first agent in slot `dead` held, as the agent in slot `reaper`. */
  recover(memory: Substrate, reaper: number, dead: number): void {
    recover(this.member(memory, reaper), identityOf(dead), RECOVERY, 1e9);
  }

  /** A word of the test's own. */
  extra(name: string): number {
    const index = this.#extra.indexOf(name);
    if (index < 0) throw new RangeError(`There is no extra word "${name}"`);
    return this.layout.words + index;
  }

  /** What a word is called in traces. */
  nameOf = (word: number): string =>
    word < this.layout.words ? wordName(this.layout, word) : this.#extra[word - this.layout.words]!;
}

/** What the model is told about an agent. */
export interface AgentOptions {
  /** What its memory does wrongly. */
  readonly fault?: Fault | undefined;
  /** Words of which the agent remembers what it has put there last. */
  readonly knows?: readonly number[];
  /** Arrays in which it sets its bit when it waits, without looking at the others', and whose bits it rings. */
  readonly arms?: readonly number[];
  /**
   * What else it remembers, and where in its program it is. With this there are landmarks: when it has read its
   * doorbell, and with `arms` when it has set its bit and when it has rung an agent.
   */
  readonly state?: () => string;
}

/**
 * Doorbells as bits: "rung since it was last read". What they count up to does not matter, and would only tell moments
 * apart. The same is true of words that are `uncounted`.
 */
function counting(memory: Substrate, bells: readonly number[], uncounted: readonly number[]): Substrate {
  return faulty(memory, (memory) => ({
    add(word, amount) {
      if (uncounted.includes(word)) return NaN;
      if (!bells.includes(word)) return memory.add(word, amount);
      memory.store(word, 1);
      return NaN;
    },
  }));
}

/** What is asked of an agent, where a test does not care. */
export function requestTo(exporter: number): RequestFields {
  return {
    exporter: identityOf(exporter),
    buffer: { slot: 0, generation: 1 },
    operation: "map",
    mode: "read",
    attachment: 1,
    mapping: 1,
    isDynamic: false,
    allowPeerToPeer: false,
    name: "",
    lock: 0n,
  };
}

/** The identity of the first agent in a slot. */
export function identityOf(slot: number): Identity {
  return IDENTITY.generation.of(1) | IDENTITY.slot.of(slot);
}
