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
