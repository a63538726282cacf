import type { ReportCode, ValidationReport } from "../validation-report.js";
import type { FenceKey } from "./timeline-slot.js";

/**
 * What the library tells the validator, if there is one: `agent.validation` is `undefined` otherwise, and each hook costs
 * the look at it. No hook throws, and none waits.
 */
export interface Validation {
  /**
   * A call begins that waits until it gets something. It is told when it has that; one that fails says nothing.
   *
   * @param by The acquire context under which a lock is taken.
   */
  waits(thing: Thing, by?: object): Passage;
  /** Something was taken at once, by a call that would not have waited for it. @param held Names it in {@link released}. */
  holds(held: object, thing: Thing, by?: object): void;
  /** What {@link holds} or a {@link Passage} has named is given back. */
  released(held: object): void;
  /** A fence can be seen by others from now on: it must signal. */
  published(key: FenceKey): void;
  /** All fences of a slot up to a number have signaled in this agent. */
  signaled(key: FenceKey): void;
  /** Runs a queue's job. @param finished The fence that says when it has finished. */
  runsJob<T>(finished: object, isSignalling: boolean, run: () => T): T;
  /** Runs what the library does for several callers together: it has nothing to do with the code that is running. */
  apart<T>(run: () => T): T;
  /** Runs the part of an asynchronous call that is in its caller's turn; who awaits its result went through what that did. */
  promised<T>(run: () => T | Promise<T>): T | Promise<T>;
  /** An exporter is asked for something: "map". */
  asks(what: string): void;
  /** Something of the domain is taken that there may be none left of, or that takes its time: "a buffer". */
  allocates(what: string): void;

  /**
   * A rule is broken, by the code that runs now.
   *
   * @param about What it is about, if the message says more than that: the same is said once.
   */
  report(code: ReportCode, message: string, about?: string): void;
  /** The code that runs now begins to wait by the library. @returns What ends that. */
  pends(): () => void;
  /** The check of what accesses read of a buffer, one after the other. @param what Names each of them. */
  reads(bufferSlot: number, what: () => string | undefined, by?: "frame" | "job"): ReadCheck;
  /** An object signals the fences of a slot, and is not kept by the library. @param key The slot and its generation. */
  signals(signaler: object, key: Omit<FenceKey, "sequence">): FenceEnd;
  /** A wait for a fence begins. @returns What to call if it lasts until the fence's time limit, so many milliseconds. */
  awaits(key: FenceKey): ((limit: number) => void) | undefined;
  /** Something waits in this agent for a pending fence: it keeps the fence until {@link letGo}. */
  keep(fence: object): void;
  letGo(fence: object): void;
  /** What was taken can only be ended by an object of the user's. */
  took(held: object): void;
  /** That object was collected. */
  forgotten(held: object, message: string): void;
  /** Operations of an exporter that do the same, looked at. */
  exporter<Ops extends object>(ops: Ops, bufferSlot: number): Ops;
  /** Whether acquire contexts are to give way now and then although they need not. */
  readonly injectsDeadlocks: boolean;
}

/** Bytes that are only read, from the begin of an access to its end. */
export interface ReadCheck {
  begin(views: readonly Uint8Array[]): void;
  /** The hold lasts still. Without a begin it does nothing. */
  end(): void;
}

/** What can signal some fences. */
export interface FenceEnd {
  /** Others may wait for a fence from now on. @param sequence Its number in the slot. */
  handedOut(sequence: number): void;
}

/** What is held or waited for: the same for all agents of the domain. */
export type Thing =
  | {
      /** The lock of a buffer's reservation, or a hold of its bytes. */
      readonly kind: "lock" | "read" | "write";
      /** The buffer's slot. */
      readonly slot: number;
    }
  | {
      readonly kind: "fence";
      /** Of this agent's; a container too. */
      readonly fence: object;
    };

/** A call that waits. */
export interface Passage {
  /** It has got what it waited for. @param held What is to be given back, and named then; nothing for a fence. */
  over(held?: object): void;
}

/** As {@link Validation.apart}, if there is a validator. */
export function apart<T>(agent: { readonly validation: Validation | undefined }, run: () => T): T {
  return agent.validation === undefined ? run() : agent.validation.apart(run);
}

/** What is known, and not to be reported. */
export interface SilencedReport {
  /** The code of the reports. */
  readonly name: ReportCode;
  /** A part of the text of those that are meant. Default: all with that code. */
  readonly about?: string;
  /** Why it is no mistake, for those who read the program. */
  readonly reason: string;
}

/** How an agent of a validated domain reports. */
export interface ValidateOptions {
  /** Gets each report, in the place of a warning of the process. */
  readonly onReport?: (report: ValidationReport) => void;
  /** Reports that are known. */
  readonly silence?: readonly SilencedReport[];
  /**
   * How many bytes of what is read are compared at the end of the reading, evenly spread over it. Default: 65,536 of an
   * access, 64 of a frame.
   */
  readonly compare?: number;
  /**
   * Whether acquire contexts of this agent are told now and then to give way although they need not, so that the code for that
   * is run. Default false.
   */
  readonly injectDeadlocks?: boolean;
}
