/** What the parties of a fast-path run and the one that kills them share: the words of a buffer that all have mapped. */

export const PARTIES = 6;
/** The first ones are processes, the others threads of the run's own process. */
export const PROCESSES = 4;

export const BOARD = {
  /** The agent that is within the lock, 0 for none: a party that dies there leaves it. */
  WITHIN: 0,
  /** How often the lock was taken. */
  LOCKED: 1,
  /** How far each party has come. */
  FIRST_STEPS: 16,
} as const;

/** Faults that parties can be told to have. */
export const FAULTS = ["torn", "unlocked"] as const;

export type Fault = (typeof FAULTS)[number];

export interface Start {
  readonly place: string;
  readonly party: number;
  readonly board: unknown;
  readonly fault: Fault | undefined;
}
