/** What the runner and the agents of a program say to each other. */
import type { BufferHandleData, Invitation, PlainError, PlainReport } from "../../src/index.js";
import type { WorkerInvitation } from "../../src/node/index.js";

export type Version = "wrong" | "right";

/** How an agent comes into the domain: by an invitation in a thread, by an address in a process. */
export type WayIn = Invitation | WorkerInvitation | string;

export type Order =
  | { readonly order: "join"; readonly way: WayIn; readonly name: string }
  | {
      readonly order: "play";
      readonly id: string;
      readonly version: Version;
      readonly part: string;
      readonly buffers: readonly BufferHandleData[];
    }
  | { readonly order: "cue"; readonly cue: string; readonly value: unknown }
  | { readonly order: "report" }
  | { readonly order: "leave" };

export type Answer =
  | { readonly answer: "joined" | "ended" }
  | { readonly answer: "failed"; readonly error: Failure }
  | { readonly answer: "said"; readonly cue: string; readonly value: unknown }
  | { readonly answer: "reports" | "left"; readonly reports: readonly PlainReport[] };

/** How a part of a program failed: by a mistake of the book's own if there is no code. */
export type Failure = PlainError | { readonly code?: undefined; readonly message: string };
