import type { MeasuredWait } from "../latency/measured.js";
import type { SnapshotChange } from "./changes.js";

/** What the server tells a page, beside its snapshots. */
export interface DomainState {
  /**
   * - "live": snapshots come.
   * - "ended": no agent lives any more; the last snapshot stays.
   * - "waiting": the server looks for a domain at the same place.
   */
  readonly kind: "live" | "ended" | "waiting";
  /** What the person has asked for: a place, the number of a process, or a domain. */
  readonly where: string;
  /** Whether the server can wait for another domain at the same place. */
  readonly canWait: boolean;
  /** Why the domain cannot be seen. */
  readonly reason?: string;
}

/** The events of `/events`, by name. */
export interface ServerEvents {
  readonly state: DomainState;
  /** A snapshot of another domain, or the first one: whatever came before is forgotten. */
  readonly first: SnapshotChange;
  /** A change of the snapshot that was sent before. */
  readonly change: SnapshotChange;
}

/** What is said when a request is refused. */
export interface Refusal {
  /** An errno name, or "REFUSED". */
  readonly code: string;
  readonly message: string;
}

/** What the validator has said in agents that trace, by when it was asked. */
export interface TracedReports {
  /** How many agents trace, those included that have died. */
  readonly traced: number;
  /** Monotonic nanoseconds: what is later was not looked at. */
  readonly at: number;
  readonly reports: readonly TracedReport[];
}

export interface TracedReport {
  /** When it was said, in monotonic nanoseconds. */
  readonly at: number;
  /** Who has said it, by its identity, and by its name, since it may be gone. */
  readonly agent: number;
  readonly agentName: string;
  /** Which rule is broken; the validator's documents have a section for it. */
  readonly code: string;
  readonly text: string;
}

/** What `/latency` answers: how long frames have waited, where both ends trace. */
export interface TracedWaits {
  readonly waits: readonly MeasuredWait[];
}
