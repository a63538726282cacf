/**
 * What agents do that others may wait for, or that they wait for themselves: an agent with a log of it tells the others
 * what lasts. An agent without one does nothing of this.
 */

/** What an agent does that lasts. It holds a buffer, a frame, a loan or locks, or runs a job; what begins with "awaits" is a wait. */
export type ActivityName =
  | "reads"
  | "writes"
  | "uses-frame"
  | "fills-loan"
  | "locks"
  | "acquires"
  | "runs-job"
  | "awaits-fence"
  | "awaits-user-fence"
  | "awaits-read"
  | "awaits-write"
  | "awaits-lock"
  | "awaits-loan"
  | "awaits-frame"
  | "awaits-consumers"
  | "awaits-answer";

/** Their numbers in shared memory are their places in this list. */
export const ACTIVITIES: readonly ActivityName[] = [
  ...(["reads", "writes", "uses-frame", "fills-loan", "locks", "acquires", "runs-job"] as const),
  ...(["awaits-fence", "awaits-user-fence", "awaits-read", "awaits-write", "awaits-lock", "awaits-loan"] as const),
  ...(["awaits-frame", "awaits-consumers", "awaits-answer"] as const),
];

/** One of them: what it is about, by its place in the table that it is of. */
export interface Activity {
  readonly does: ActivityName;
  readonly slot: number;
  /** 0 if it is not known. */
  readonly generation?: number;
  /** Of a fence, a place in a ring, a lock's ticket, or how many consumers. */
  readonly number?: number;
}

/** What is held or waited for, if it can say what it is. */
export interface Doing {
  activity?(): Activity | undefined;
}

/** A call that waits, once or several times. */
export interface OngoingCall {
  end(): void;
}

/** Where and when what is held was taken. */
export interface HeldPlace {
  /** Not before, in monotonic nanoseconds. */
  readonly youngSince: number;
  /** The stack of its taking, if that is to be known. */
  stackOf(held: object): string | undefined;
}

/** Where an agent keeps what it does. */
export interface ActivityLog {
  /** A call returns to the event loop until it goes on. */
  begin(): OngoingCall;
  /** The call that began last has given its caller this promise. */
  gives(promise: Promise<unknown>): void;
  /**
   * Something begins that may last, as a wait or a job. The result ends it.
   *
   * @param doing What can say what it is: it has an activity, is a fence, or several.
   * @param call The call that it belongs to, if there is one.
   */
  lasts(doing: object | undefined, call?: OngoingCall): () => void;
  /** Milliseconds for which this thread may sleep in a blocking wait before it must ask again. */
  blockedLeft(doing: object): number;
  /** The blocking wait has ended. */
  unblock(): void;
  /** Something has been held for some time. */
  held(held: Doing, place: HeldPlace): void;
  /** It has ended. */
  ended(held: Doing): void;
  /** Says in the error of a wait whose time has passed what it waited for. */
  explain(error: unknown, doing: object | undefined): void;
}
