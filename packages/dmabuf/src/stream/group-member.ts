import { FOUND } from "../domain/layout.js";
import type { StreamParts } from "./stream-parts.js";
import { endTurn, joinGroup, missedByGroup } from "./stream-group.js";
import { lostFrames, type Policy } from "./stream-slot.js";

/** Milliseconds for which a member leaves a frame to those that have waited for longer. */
const TURN_MS = 5;

/** What a consumer does otherwise if it is a member of a group. */
export class GroupMember {
  /** The name of the group. */
  readonly name: string;
  /** The first word of its place. */
  readonly word: number;
  /** It has no cursor. */
  readonly early = 0;
  readonly #parts: StreamParts;
  readonly #group: number;
  readonly #policy: Policy;
  /** How many the group had missed before. */
  readonly #missedBefore: number;
  /** Since when it leaves a frame to others, in nanoseconds. */
  #givesWaySince: number | undefined;

  /** Joins. @throws {DmaBufError} As `joinGroup()`. */
  constructor(parts: StreamParts, name: string, policy: Policy) {
    this.name = name;
    this.#parts = parts;
    this.#policy = policy;
    const { word, group } = joinGroup(parts.agent, parts.key, name, policy);
    this.word = word;
    this.#group = group;
    this.#missedBefore = this.#count();
  }

  /**
   * How many frames no member has done since this one has joined. One that holds the producer misses none that comes to that
   * then.
   */
  get missed(): number {
    return (this.#count() - this.#missedBefore) >>> 0;
  }

  #count(): number {
    const { agent, key } = this.#parts;
    const lost = lostFrames(agent, key.slot);
    return this.#policy === "block" ? lost : lost + missedByGroup(agent, key.slot, this.#group);
  }

  /**
   * @param reads A bit for each place whose buffer this agent reads already.
   * @param own A bit for each place whose frame this member has.
   * @returns FOUND.
   */
  take(reads: number, own: number): number {
    const { agent, key, buffers } = this.#parts;
    const look = (): number =>
      agent.protocol.takeShared(key.slot, key.generation, this.word, buffers.length, reads, own, agent.identity);
    let found = look();
    if (found === FOUND.NOT_YET && this.#hasGivenWay()) {
      agent.protocol.passOver(key.slot, this.word);
      found = look();
    }
    if (found !== FOUND.NOT_YET) this.#givesWaySince = undefined;
    return found === FOUND.NOT_YET ? FOUND.NONE : found;
  }

  /** stream-group.7. */
  #hasGivenWay(): boolean {
    const now = this.#parts.agent.host.nowNs();
    this.#givesWaySince ??= now;
    return now - this.#givesWaySince >= TURN_MS * 1e6;
  }

  arm(): void {
    const { agent, key, buffers } = this.#parts;
    agent.protocol.armShared(key.slot, this.word, buffers.length, agent.identity);
  }

  spin(looks: number): void {
    const { agent, key, buffers } = this.#parts;
    agent.protocol.spinShared(key.slot, key.generation, this.word, buffers.length, looks);
  }

  /** Milliseconds until those that it gives way to have lost their turns. */
  recheckAfter(): number {
    if (this.#givesWaySince === undefined) return Infinity;
    return Math.max(0, TURN_MS - (this.#parts.agent.host.nowNs() - this.#givesWaySince) / 1e6);
  }

  /** It no longer waits. */
  endTurn(): void {
    endTurn(this.#parts.agent, this.word);
  }

  /** Whether a frame may come to it although none is published. @param own As above. */
  mayGet(own: number): boolean {
    const { agent, key, buffers } = this.#parts;
    return agent.protocol.isOutstanding(key.slot, this.word, buffers.length, own) !== 0;
  }

  /** Before the hold of a frame ends. @param isDone Whether it is done; if not, another member gets it. */
  endClaim(place: number, isDone: boolean): void {
    const { agent, key } = this.#parts;
    agent.protocol.endClaim(key.slot, key.generation, this.#group, place, isDone ? 1 : 0, agent.identity);
  }
}
