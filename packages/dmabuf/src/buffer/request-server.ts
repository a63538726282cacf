import type { Agent } from "../domain/agent.js";
import { ring, slotOf } from "../domain/agent-slot.js";
import { finishRequest, postCount, postedRequests, takeRequest, type PostedRequest } from "./request-slot.js";
import { isLater } from "../domain/promised.js";
import { codeOf, ERRNO, textOf } from "../errors.js";
import type { TakenLock } from "../reservation/reservation-state.js";
import type { Given } from "./call.js";
import { EXPORTER } from "./exporter.js";
import type { BufferKey } from "./buffer-slot.js";
import type { ReservationUser } from "../reservation/reservation-user.js";
import type { ServedExport } from "./served-export.js";

/**
 * Serves from its agent's event loop what other agents ask of the exporters in it, while there are any, and tells the
 * dynamic importers in it of moves.
 *
 * request-server.1. A request is taken before anything is done for it, and the lock after that: who lent it then waits
 *      for the answer.
 * request-server.2. The answer is decided before the lock goes back: either the requester gets both, or no agent wants
 *     the answer, and what was done is undone under the lock, which then opens.
 * request-server.3. An exporter's agent that blocks its thread serves no request until then; plain data needs no exporter.
 * request-server.4. Importers are told of a move even while their agent blocks its thread: the mover has the lock that
 *     it may block for. An agent that has ever had a dynamic importer answers until it leaves.
 */
export class RequestServer {
  readonly #agent: Agent;
  readonly #exports = new Map<number, ServedExport>();
  readonly #followersOf: (buffer: BufferKey) => Followers | undefined;
  #seen = 0;
  #told = 0;
  #isWatching = false;
  #follows = false;

  constructor(agent: Agent, followersOf: (buffer: BufferKey) => Followers | undefined) {
    this.#agent = agent;
    this.#followersOf = followersOf;
  }

  /** From now on, the importers of this agent are told of moves. */
  follow(): void {
    if (this.#follows) return;
    this.#follows = true;
    this.#agent.addInterrupt(() => this.#tellFollowers());
    if (!this.#isWatching) this.#watch();
  }

  add(served: ServedExport): void {
    this.#exports.set(served.key.slot, served);
    if (!this.#isWatching) this.#watch();
  }

  /** The buffer in a slot, if this agent exports it with operations of its own. */
  at(slot: number, generation: number): ServedExport | undefined {
    const served = this.#exports.get(slot);
    return served?.key.generation === generation ? served : undefined;
  }

  /** The buffer is gone: hears what was said of it, and lets it go. */
  remove(served: ServedExport): void {
    if (!this.#agent.closed) this.#serve();
    if (this.#exports.get(served.key.slot) === served) this.#exports.delete(served.key.slot);
    served.end();
  }

  /** The agent leaves: opens what is locked here for others, while their buffers are still kept. */
  close(): void {
    for (const { reservation } of this.#exports.values()) reservation.close();
  }

  /** Serves what is posted: before this agent itself uses a buffer that others may have said something of. */
  serve(): void {
    if (postCount(this.#agent) !== this.#seen) this.#serve();
  }

  #watch(): void {
    const awaited = {
      arm: () => {},
      ready: () => postCount(this.#agent) !== this.#seen || this.#isAnyBereft(),
    };
    const served = (): void => {
      this.#serve();
      this.#isWatching = false;
      if (this.#exports.size > 0 || this.#follows) this.#watch();
    };
    this.#isWatching = true;
    this.#agent.watch(awaited, served, () => {});
  }

  #isAnyBereft(): boolean {
    for (const served of this.#exports.values()) if (served.hasDeadClients) return true;
    return false;
  }

  #serve(): void {
    this.#seen = postCount(this.#agent);
    for (const request of postedRequests(this.#agent)) void this.#answer(request);
    for (const served of this.#exports.values()) served.sweep();
  }

  #tellFollowers(): void {
    if (postCount(this.#agent) === this.#told) return;
    this.#told = postCount(this.#agent);
    for (const request of postedRequests(this.#agent)) {
      if (request.operation === "moveNotify") tellOfMove(this.#agent, request, this.#followersOf(request.buffer));
    }
  }

  /** Runs at once as far as the exporter does. */
  async #answer(request: PostedRequest): Promise<void> {
    if (request.operation === "moveNotify") {
      tellOfMove(this.#agent, request, this.#followersOf(request.buffer));
      return;
    }
    const served = this.at(request.buffer.slot, request.buffer.generation);
    if (!takeRequest(this.#agent, request)) return;
    if (!request.wantsAnswer) {
      finishRequest(this.#agent, request, 0);
      served?.giveBack(request);
      return;
    }
    const lock = request.lock === 0n ? undefined : this.#takeOver(served, request.lock);
    if (served === undefined || (request.lock !== 0n && lock === undefined)) {
      deliver(this.#agent, request, undefined, ERRNO.ESTALE, false);
      return;
    }
    let errno = 0;
    let value = false;
    try {
      const answer: Given<boolean> = served.perform(request);
      value = isLater(answer) ? await answer : answer;
    } catch (error) {
      errno = ERRNO[codeOf(error)];
    }
    if (this.#agent.closed) return;
    await this.#finish(request, served, lock, errno, value);
    if (!this.#agent.closed) served.settled(request);
  }

  /** The lock keeps the buffer from here on: who has lent it may have died, and the buffer be gone (lock.7). */
  #takeOver(served: ServedExport | undefined, holder: bigint): TakenLock | undefined {
    const unkeep = served?.keep();
    const lock = unkeep === undefined ? undefined : served!.reservation.takeOver(holder);
    unkeep?.();
    return lock;
  }

  async #finish(
    request: PostedRequest,
    served: ServedExport,
    lock: TakenLock | undefined,
    errno: number,
    value: boolean,
  ): Promise<void> {
    if (deliver(this.#agent, request, lock, errno, value)) return;
    try {
      const undone = errno === 0 ? served.undo(request) : undefined;
      if (isLater(undone)) await undone;
    } catch (error) {
      served.warn(`${EXPORTER} failed: ${textOf(error)}`);
    } finally {
      if (!this.#agent.closed) lock?.[Symbol.dispose]();
    }
  }
}

/** A buffer's dynamic importers in one agent. */
export interface Followers {
  readonly reservation: ReservationUser;
  /** Tells each of them that the storage is about to move; does not throw. */
  moveNotify(): void;
}

/** Serves a mover: its lock is here while the importers are told. */
export function tellOfMove(agent: Agent, request: PostedRequest, followers: Followers | undefined): void {
  if (!takeRequest(agent, request)) return;
  const lock = followers?.reservation.takeOver(request.lock);
  if (lock !== undefined) followers!.moveNotify();
  const errno = lock === undefined ? ERRNO.ESTALE : 0;
  if (!deliver(agent, request, lock, errno, false)) lock?.[Symbol.dispose]();
}

/**
 * Gives the requester its answer, and the lock back that it has lent.
 *
 * @returns False if no agent wants the answer: the lock is still here.
 */
export function deliver(
  agent: Agent,
  request: PostedRequest,
  lock: TakenLock | undefined,
  errno: number,
  value: boolean,
): boolean {
  // SYNC POINT answer-before-hand-back: a requester that gives up afterwards finds the answer, and waits for the lock.
  if (!finishRequest(agent, request, errno, value)) return false;
  lock?.handBack();
  ring(agent, slotOf(request.requester));
  return true;
}
