/** What the processes of a chaos run and the one that runs it tell each other. */
import type { BufferHandleData } from "../../../src/index.js";

/** Faults that a member can be told to have: one for each invariant. */
export const FAULTS = {
  torn: "ends an access before it has written everything",
  wake: "sleeps through what wakes it",
  descriptor: "leaves a file open",
  slot: "takes a slot that no member gives back",
  fence: "has fences that no member ends when it dies",
  membership: "shows that it lives by a descriptor that its thread's end does not close",
  stray: "opens in its thread what is in no ledger",
  early: "publishes before the consumer has come for which it waits",
  lock: "keeps a lock whose holder it should close",
  dead: "waits for what a dead one holds until its reaper has taken it away",
} as const;

export type Fault = keyof typeof FAULTS;

export interface Start {
  /** Where a member listens. */
  readonly joinsAt: string;
  /** Where it listens itself if it is told to. */
  readonly place: string;
  readonly party: number;
  readonly seed: number;
  /** A file in which it writes what it is doing, at each step. */
  readonly diary: string;
  /** The stream that it produces. */
  readonly produces: string | undefined;
  readonly fault: Fault | undefined;
}

export interface SharedBuffer {
  readonly index: number;
  readonly handle: BufferHandleData;
}

/** A buffer that is sent on its way once, with what is in it. */
interface Parcel {
  readonly parcel: BufferHandleData;
  readonly version: number;
}

export type Order =
  | { readonly order: "start"; readonly start: Start }
  | ({ readonly order: "import" } & SharedBuffer)
  | ({ readonly order: "receive" } & Parcel)
  | { readonly order: "export"; readonly index: number }
  | { readonly order: "listen" | "leave" | "exit" }
  /** Reads a buffer, and never ends that. */
  | { readonly order: "hold" }
  /** Writes each buffer once. */
  | { readonly order: "write all" };

export type Report =
  | { readonly report: "joined"; readonly identity: number }
  | ({ readonly report: "exported" } & SharedBuffer)
  | ({ readonly report: "sent" } & Parcel)
  | { readonly report: "listens" }
  /** Of an order to hold or to write. */
  | { readonly report: "done" }
  /** How many more descriptors it has than before it joined. */
  | { readonly report: "left"; readonly descriptors: number; readonly deeds: Readonly<Record<string, number>> }
  | { readonly report: "failed"; readonly reason: string };

export const BUFFER_BYTES = 16_384;
export const FRAME_BYTES = 65_536;
