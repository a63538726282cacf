import type { Activity } from "../domain/activity.js";
import type { WaitCondition } from "../domain/agent.js";
import { ring, slotOf } from "../domain/agent-slot.js";
import { FOUND } from "../domain/layout.js";
import { checkWait, checkWaitSync, Ending, type WaitOptions } from "../domain/wait.js";
import { isLater } from "../domain/promised.js";
import type { HeldUp } from "../domain/long-waits.js";
import { take, takeSync, until, type Steps } from "../domain/steps.js";
import { Held } from "../domain/held.js";
import { DmaBufError } from "../errors.js";
import { FrameHold } from "./frame-hold.js";
import { bufferUnder, makeFrame, type AnyFrame } from "./frame.js";
import { GroupMember } from "./group-member.js";
import { streamError, type StreamParts } from "./stream-parts.js";
import {
  joinStream,
  leaveConsumer,
  POLICY_NUMBER,
  producerOf,
  setPolicy,
  streamEnd,
  type Policy,
} from "./stream-slot.js";

/** A consumer's place at a stream: all of it but the object that the user has. */
export class ConsumerPlace {
  #policyName: Policy;
  #policy: number;
  readonly #parts: StreamParts;
  readonly #word: number;
  /** What it does as one of a group. */
  readonly #member: GroupMember | undefined;
  /** How many of the next frames were published before the consumer had joined: it cannot miss them. */
  #early: number;
  readonly #left: () => void;
  /** The place itself. */
  readonly held: Held;
  /** By their places in the ring: each is held once. */
  readonly #holds: FrameHold[] = [];
  /** Of looks without waiting. */
  readonly #looks = new TakeAttempt(this);
  /** Taken, but not returned: a wait for their fences failed. */
  readonly #undelivered: AnyFrame[] = [];
  /** That of waits for the fences of a frame. */
  readonly #ending = new Ending();
  /** The user's object, once for each of its waits: to wait is to use it. */
  readonly #owners: object[] = [];
  #missed = 0;
  /** How many were gone when it joined, between others that it has got. */
  #gone = 0;
  /** What a look has found the stream to have ended with: 0, or the errno it failed with. */
  #end: number | undefined;
  /** Whether frames that end are left to the others of its group. */
  #givesUp = false;
  #closed = false;

  /**
   * @param group The name of its group, if it has one.
   * @param left Called when it has left, and no frame of it is held.
   */
  constructor(parts: StreamParts, policy: Policy, group: string | undefined, left: () => void) {
    this.#policyName = policy;
    this.#policy = POLICY_NUMBER[policy];
    this.#parts = parts;
    this.#left = left;
    this.#member = group === undefined ? undefined : new GroupMember(parts, group, policy);
    const { word, early } = this.#member ?? joinStream(parts.agent, parts.key, policy, parts.buffers.length);
    this.#word = word;
    this.#early = early;
    const { agent, key, name } = parts;
    // Who took all that there was may have forgotten it without harm.
    const what = (): string | undefined =>
      streamEnd(agent, key) === undefined ? `A consumer of stream "${name}"` : undefined;
    this.held = new Held(agent.held, what, () => this.#leave());
  }

  /** How many frames were published since this consumer joined (or while it did, if it may lose frames) that it did not get. */
  get missed(): number {
    return this.#missed + (this.#member?.missed ?? 0);
  }

  /** How many it did not get of those from its first frame on, also of what was gone when it joined. */
  get leftOut(): number {
    return this.missed + this.#gone;
  }

  get policy(): Policy {
    return this.#policyName;
  }

  /** From the next frame on. It must be in no group. */
  changePolicy(policy: Policy): void {
    if (this.#closed) return;
    this.#policyName = policy;
    this.#policy = POLICY_NUMBER[policy];
    setPolicy(this.#parts.agent, this.#parts.key.slot, this.#word, policy);
  }

  /** The name of its group. */
  get group(): string | undefined {
    return this.#member?.name;
  }

  /** Whether no further frame comes, as a look has found. */
  get hasEnded(): boolean {
    return this.#closed || this.#end !== undefined;
  }

  /** What the stream has failed with, as a look has found when no frame was left. */
  get error(): DmaBufError | undefined {
    const end = this.#end;
    return end === undefined || end === 0 ? undefined : streamError(this.#parts.name, end);
  }

  /** See `Consumer`. @param owner The user's object. @returns A frame that is there at once. */
  next(options: WaitOptions, owner: object): AnyFrame | undefined | Promise<AnyFrame | undefined> {
    checkWait("Consumer.next()", options);
    const found = this.#firstLook();
    if (isReady(found)) return this.#frameOf(found);
    const { agent } = this.#parts;
    const taken = take(agent, this.#waitForFrame(found, options.timeout), options, this.#ending);
    if (!isLater(taken)) return taken;
    const awaited = this.#awaited(taken, owner);
    agent.activities?.gives(awaited);
    return awaited;
  }

  async #awaited(taken: Promise<AnyFrame | undefined>, owner: object): Promise<AnyFrame | undefined> {
    this.#owners.push(owner);
    try {
      return await taken;
    } finally {
      this.#owners.pop();
    }
  }

  /** See `Consumer`. */
  nextSync(options: { readonly timeout?: number }): AnyFrame | undefined {
    checkWaitSync("Consumer.nextSync()", options);
    const found = this.#firstLook();
    if (isReady(found)) return this.#frameOf(found);
    return takeSync(this.#parts.agent, this.#waitForFrame(found, options.timeout), options.timeout);
  }

  /** See `Consumer`. A frame that is still written is the next one again. */
  tryNext(): AnyFrame | undefined {
    while (!this.#closed) {
      const attempt = this.#looks;
      const frame = this.#lookPastDamage(attempt);
      if (frame === undefined || attempt.isFinished || isFinished(frame)) return frame;
      const isOverdue = bufferUnder(frame)!.work.overdueWork("write") !== undefined;
      if (isOverdue && this.#passesOver(frame)) continue;
      if (this.#member === undefined) this.#undelivered.unshift(frame);
      else this.#giveUp(frame);
      return undefined;
    }
    return undefined;
  }

  /** Each look that fails has passed over one frame. */
  #lookPastDamage(attempt: TakeAttempt): AnyFrame | undefined {
    for (;;) {
      try {
        return this.look(attempt);
      } catch (error) {
        if (!(error instanceof DmaBufError && error.code === "EPROTO")) throw error;
      }
    }
  }

  /** @param found What the first look has found. */
  *#waitForFrame(found: number, timeout?: number): Steps<AnyFrame | undefined> {
    const attempt = new TakeAttempt(this);
    attempt.look(found);
    try {
      for (;;) {
        if (!attempt.isReady && !(yield until(this.#parts.agent, attempt))) this.#timedOut(timeout);
        const { taken } = attempt;
        if (taken === undefined) return this.#ended();
        if (attempt.isFinished || isFinished(taken) || (yield* this.#isWritten(taken, timeout)))
          return this.#given(taken);
        attempt.ready();
      }
    } catch (error) {
      // An agent that leaves closes its consumers, and its waits fail.
      if (this.#closed && !this.#parts.agent.ending.isOver) return undefined;
      throw error;
    } finally {
      if (!this.#closed) this.#member?.endTurn();
    }
  }

  /** Waits for the work that still writes a frame, by fences. @returns False if the frame is passed over. */
  *#isWritten(frame: AnyFrame, timeout?: number): Steps<boolean> {
    const { work } = bufferUnder(frame)!;
    try {
      const heldUp: HeldUp = () => [`take a frame of stream "${this.#parts.name}"`, work.waitsFor("write")];
      if (!(yield* work.signaled("write", heldUp))) this.#timedOut(timeout, frame);
      if (this.#passesOver(frame)) return false;
      if (!(yield* work.finished("write", heldUp))) this.#timedOut(timeout, frame);
      return true;
    } catch (error) {
      this.#refused(frame);
      throw error;
    }
  }

  /** Leaves the stream and gives all frames back. Other members of a group get them. */
  close(): void {
    this.#givesUp = true;
    this.#holds.forEach((hold) => hold.end());
    this.held.end();
  }

  #leave(): void {
    this.#closed = true;
    const { agent, key } = this.#parts;
    leaveConsumer(agent, key.slot, this.#word);
    this.#ending.end(() => new DmaBufError("EBADF", `Stream "${this.#parts.name}" was left`));
    // For the looks of waits of this consumer's.
    ring(agent, slotOf(agent.identity));
    if (!this.#holdsFrames) this.#left();
  }

  /**
   * The first look of a call, in one: most find a frame that is ready.
   *
   * @returns FOUND; NONE also for a frame that was taken before, and not returned.
   * @throws {DmaBufError} `EBADF` if the stream was left.
   */
  #firstLook(): number {
    if (this.#closed) {
      throw new DmaBufError("EBADF", `Cannot take a frame of stream "${this.#parts.name}": it was left`);
    }
    return this.#undelivered.length > 0 ? FOUND.NONE : this.#take();
  }

  #take(): number {
    if (this.#member !== undefined) return this.#member.take(this.#reads, this.#own);
    const { agent, key, buffers } = this.#parts;
    const { protocol, identity } = agent;
    return protocol.take(key.slot, key.generation, this.#word, this.#policy, buffers.length, this.#reads, identity);
  }

  /** For a {@link TakeAttempt}. */
  activity(): Activity {
    return { does: "awaits-frame", ...this.#parts.key };
  }

  /** For a {@link TakeAttempt}. */
  arm(): void {
    if (this.#closed) return;
    if (this.#member !== undefined) return this.#member.arm();
    const { agent, key, buffers } = this.#parts;
    agent.protocol.armTake(key.slot, this.#word, this.#policy, buffers.length, agent.identity);
  }

  /** For a {@link TakeAttempt}. */
  spin(looks: number): void {
    if (this.#closed) return;
    if (this.#member !== undefined) return this.#member.spin(looks);
    const { agent, key } = this.#parts;
    agent.protocol.spinTake(key.slot, key.generation, this.#word, looks);
  }

  /** For a {@link TakeAttempt}. */
  recheckAfter(): number {
    return this.#member?.recheckAfter() ?? Infinity;
  }

  /**
   * Looks for a frame: gives none, and sets `isReady`, once the stream has ended or was left.
   *
   * @param found What a first look has found.
   */
  look(attempt: TakeAttempt, found?: number): AnyFrame | undefined {
    attempt.isReady = true;
    attempt.isFinished = false;
    if (this.#closed) return undefined;
    if (this.#undelivered.length > 0) return this.#undelivered.shift();
    found ??= this.#take();
    attempt.isReady = found !== FOUND.NONE;
    if (found === FOUND.ENDED) this.#end ??= streamEnd(this.#parts.agent, this.#parts.key);
    if (found === FOUND.NONE || found === FOUND.ENDED) return undefined;
    attempt.isFinished = isReady(found);
    return this.#frameOf(found);
  }

  /** A bit for each place whose buffer this agent reads, through other ends and holders too. */
  get #reads(): number {
    const { agent, buffers } = this.#parts;
    let bits = 0;
    // Mostly none: the frame before was given back.
    if (agent.buffersRead === 0) return bits;
    for (let i = 0; i < buffers.length; i++) if (buffers[i]!.holds.isReading) bits |= 1 << i;
    return bits;
  }

  /** A bit for each place whose frame this consumer has. */
  get #own(): number {
    return this.#holds.reduce((bits, { isOver }, place) => (isOver ? bits : bits | (1 << place)), 0);
  }

  /** A frame whose metadata are damaged is given back, and counts as missed; the next one is another. */
  #frameOf(found: number): AnyFrame {
    const place = found & (FOUND.READY - 1);
    const hold = (this.#holds[place] ??= this.#holdOf(place));
    hold.taken();
    if (found >= FOUND.BEYOND || this.#early > 0) this.#moveOn(Math.floor(found / FOUND.BEYOND));
    let frame: AnyFrame;
    try {
      frame = makeFrame(hold, this.#parts.format, isReady(found));
    } catch (error) {
      hold.end();
      this.#miss(1);
      throw error;
    }
    this.#parts.agent.tracer?.stream("stream:take", this.#parts, frame.sequence, place);
    return frame;
  }

  #holdOf(place: number): FrameHold {
    const member = this.#member;
    const what = (): string => `A frame of stream "${this.#parts.name}"`;
    const after = (): void => {
      if (this.#closed && !this.#holdsFrames) this.#left();
    };
    if (member === undefined) return new FrameHold(this.#parts, place, "read", what, { after });
    const before = (): void => member.endClaim(place, !this.#givesUp);
    const hold: FrameHold = new FrameHold(this.#parts, place, "read", what, {
      before,
      after,
      forgotten: () => this.#endUndone(hold),
    });
    return hold;
  }

  /** Leaves a frame to the others of its group. */
  #giveUp(frame: AnyFrame): void {
    this.#endUndone({ end: () => frame.close() });
  }

  #endUndone(held: Pick<Held, "end">): void {
    const before = this.#givesUp;
    this.#givesUp = true;
    held.end();
    this.#givesUp = before;
  }

  /**
   * Counts what it has missed. Frames that were gone when it joined, between others that were still there, it has not.
   *
   * @param beyond How many frames were between the cursor and the one that was taken.
   */
  #moveOn(beyond: number): void {
    if (beyond > this.#early) this.#miss(beyond - this.#early);
    this.#gone += Math.min(beyond, this.#early);
    this.#early = Math.max(0, this.#early - beyond - 1);
  }

  #miss(count: number): void {
    this.#missed += count;
    this.#parts.agent.tracer?.stream("stream:drop", this.#parts, count);
  }

  get #holdsFrames(): boolean {
    return this.#holds.some((hold) => !hold.isOver);
  }

  /** A frame whose writing is overdue is lost to a consumer that may lose frames. One that holds the producer waits for it. */
  #passesOver(frame: AnyFrame): boolean {
    if (this.policy === "block" || this.#closed || bufferUnder(frame)!.work.testFinished("write")) return false;
    this.#miss(1);
    frame.close();
    return true;
  }

  /** @throws {DmaBufError} `EDEADLK` if there is no frame, and only this thread could publish one. */
  checkBlocking(): void {
    const { agent, key, name, buffers } = this.#parts;
    if (producerOf(agent, key.slot) !== agent.identity) return;
    const { protocol } = agent;
    if (this.#member?.mayGet(this.#own) ?? protocol.isThere(key.slot, this.#word, buffers.length) !== 0) return;
    throw agent.blocksItself(
      "deadlock",
      `Cannot block for a frame of stream "${name}": this thread itself produces it`,
    );
  }

  /** A consumer that has left in between gets no frame. */
  #given(frame: AnyFrame): AnyFrame | undefined {
    if (!this.#closed) return frame;
    this.#giveUp(frame);
    return undefined;
  }

  /**
   * A frame whose fences were not waited for to the end is the next one again, or missed if only the newest counts. In a
   * group it is any member's.
   */
  #refused(frame: AnyFrame): void {
    if (this.#member !== undefined && this.policy !== "newest") {
      this.#giveUp(frame);
    } else if (this.policy !== "newest" && !this.#closed) {
      this.#undelivered.push(frame);
    } else {
      this.#miss(1);
      frame.close();
    }
  }

  #ended(): undefined {
    if (!this.#closed && this.error !== undefined) throw this.error;
    return undefined;
  }

  /** @param frame One that is there, but is still written. */
  #timedOut(timeout: number | undefined, frame?: AnyFrame): never {
    const what = frame === undefined ? "has published no frame" : "has finished no frame";
    const why = frame === undefined ? "" : `: ${bufferUnder(frame)!.work.waitsFor("write")}`;
    throw new DmaBufError("ETIMEDOUT", `Stream "${this.#parts.name}" ${what} in ${timeout} ms${why}`);
  }
}

/** A wait for a frame; ready without one once the stream has ended, or was left. */
class TakeAttempt implements WaitCondition {
  taken: AnyFrame | undefined;
  /** What the last look has found. */
  isReady = false;
  /** Whether the frame that was taken was seen to be finished. */
  isFinished = false;
  readonly #place: ConsumerPlace;

  constructor(place: ConsumerPlace) {
    this.#place = place;
  }

  activity(): Activity {
    return this.#place.activity();
  }

  arm(): void {
    this.#place.arm();
  }

  ready(): boolean {
    return this.look();
  }

  /** @param found What a first look has found. */
  look(found?: number): boolean {
    this.taken = this.#place.look(this, found);
    return this.isReady;
  }

  spin(looks: number): boolean {
    this.#place.spin(looks);
    return this.ready();
  }

  recheckAfter(): number {
    return this.#place.recheckAfter();
  }

  checkBlocking(): void {
    this.#place.checkBlocking();
  }
}

function isFinished(frame: AnyFrame): boolean {
  return bufferUnder(frame)!.work.testFinished("write");
}

function isReady(found: number): boolean {
  return (found & FOUND.READY) !== 0;
}
