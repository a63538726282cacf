import type { Activity } from "../domain/activity.js";
import type { Agent, WaitCondition } from "../domain/agent.js";
import { agentName, isLive } from "../domain/agent-slot.js";
import {
  freeRequest,
  postRequest,
  requestState,
  takeBack,
  type RequestFields,
  type RequestKey,
} from "./request-slot.js";
import type { HeldUp } from "../domain/long-waits.js";
import { until, untilItsEnd, type Steps } from "../domain/steps.js";
import { DmaBufError, errorCode } from "../errors.js";
import { delegateWord, lockHolder } from "../reservation/lock.js";
import type { TakenLock } from "../reservation/reservation-state.js";
import type { ReservationUser } from "../reservation/reservation-user.js";

/**
 * A request to an exporter in another agent, as its requester waits for it; or to importers there, as their exporter
 * does.
 *
 * pending-request.1. It ends with the exporter's answer, or with `ESRCH` when the exporter's agent has ended without
 *      one.
 * pending-request.2. With a reservation, the lock is lent to the exporter's agent: the answer counts when the lock is
 *     back. If the exporter's agent ends with the lock, the lock is lost, and disposing it does nothing; it is `ESRCH`
 *     then, too, if there was an answer: the requester that gets one has the lock.
 * pending-request.3. A requester that no longer wants to wait takes the request back. What the exporter has begun
 *     under the lock is still waited for; what it has begun without the lock it undoes when the requester is gone.
 */
export class PendingRequest implements WaitCondition {
  readonly #agent: Agent;
  readonly #lent: TakenLock | undefined;
  readonly #fields: RequestFields;
  readonly #key: RequestKey | undefined;
  #outcome: Outcome | undefined;

  /** @param reservation Locked; for the operations that run with the lock. */
  constructor(agent: Agent, fields: Omit<RequestFields, "lock">, reservation?: ReservationUser) {
    this.#agent = agent;
    this.#lent = reservation?.lend();
    this.#fields = { ...fields, lock: this.#lent?.word ?? 0n };
    try {
      this.#key = postRequest(agent, this.#fields, true);
    } catch (error) {
      this.#lent?.takeBack(true);
      throw error;
    }
  }

  activity(): Activity | undefined {
    return this.#key && { does: "awaits-answer", ...this.#key };
  }

  arm(): void {
    // The exporter rings its requester, and recovery rings all agents.
  }

  ready(): boolean {
    this.#outcome ??= this.#look();
    return this.#outcome !== undefined;
  }

  /** The wait for the answer. @param timeout For messages. */
  *answer(timeout?: number): Steps<boolean> {
    const heldUp: HeldUp = () => this.#heldUp();
    try {
      if (!this.ready() && !(yield until(this.#agent, this, heldUp))) throw this.#timedOut(timeout);
    } catch (error) {
      if (this.#giveUp()) throw error;
      yield untilItsEnd(this.#agent, this, heldUp);
    }
    return this.#take();
  }

  #look(): Outcome | undefined {
    if (this.#key === undefined) return "gone";
    const answered = this.#answered(this.#key);
    if (answered !== undefined) return answered;
    if (isLive(this.#agent, this.#fields.exporter)) return undefined;
    // SYNC POINT answer-before-end: it may have answered between the two looks.
    return this.#answered(this.#key) ?? "gone";
  }

  #answered(key: RequestKey): Outcome | undefined {
    const state = requestState(this.#agent, key);
    if (state.phase === "gone") return "gone";
    return state.phase === "done" && !this.#isLockAway() ? state : undefined;
  }

  /** Whether the wait may end now; the reservation is as it was before then. */
  #giveUp(): boolean {
    const key = this.#key!;
    const isBack =
      takeBack(this.#agent, key, "posted") ||
      (this.#lent === undefined && takeBack(this.#agent, key, "taken")) ||
      this.#agent.closed;
    if (isBack) this.#lent?.takeBack(!this.#agent.closed);
    return isBack;
  }

  #take(): boolean {
    const outcome = this.#outcome!;
    const { operation, buffer, lock } = this.#fields;
    if (this.#key !== undefined) freeRequest(this.#agent, this.#key);
    const lent = this.#lent;
    const isLockBack = lent === undefined || (lent.isNewest && lockHolder(this.#agent, buffer.slot) === lock);
    lent?.takeBack(isLockBack);
    if (outcome === "gone" || !isLockBack) {
      throw new DmaBufError("ESRCH", `Cannot ${VERBS[operation]}: its exporter's thread has ended`);
    }
    if (outcome.errno === 0) return outcome.value;
    throw new DmaBufError(errorCode(outcome.errno), `Cannot ${VERBS[operation]}: its exporter refuses`);
  }

  #isLockAway(): boolean {
    const { exporter, buffer, lock } = this.#fields;
    return lock !== 0n && lockHolder(this.#agent, buffer.slot) === delegateWord(lock, exporter);
  }

  #timedOut(timeout: number | undefined): DmaBufError {
    const [action, why] = this.#heldUp();
    const error = new DmaBufError("ETIMEDOUT", `Cannot ${action} in ${timeout} ms: ${why}`);
    // Now: once the request is taken back, nothing tells who was asked.
    this.#agent.activities?.explain(error, this);
    return error;
  }

  #heldUp(): readonly [action: string, why: string] {
    const { operation, exporter } = this.#fields;
    return [VERBS[operation], `agent "${agentName(this.#agent, exporter)}" has not answered`];
  }
}

type Outcome = "gone" | { readonly errno: number; readonly value: boolean };

const VERBS: Record<RequestFields["operation"], string> = {
  attach: "attach to the buffer",
  detach: "detach from the buffer",
  map: "map the buffer",
  unmap: "unmap the buffer",
  pin: "pin the buffer",
  unpin: "unpin the buffer",
  begin: "begin to use the buffer",
  end: "end the use of the buffer",
  mmap: "map the buffer",
  moveNotify: "tell an importer of the move",
  fault: "fault pages of the buffer",
  pinPages: "pin the pages of the buffer",
  unpinPages: "unpin the pages of the buffer",
};
