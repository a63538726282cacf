import type { BufferHandleData } from "../../buffer/handle.js";
import type { ErrorCode } from "../../errors.js";
import type { FenceHandle } from "../../fence/fence-handle.js";
import type { AccessMode } from "../../reservation/usage.js";
import type { Invitation } from "../../thread-domain.js";
import type { WorkerInvitation } from "../joining/invitation.js";

/** What a pool and its workers say to each other. */

/** What a worker is started with: a thread as its data, a process in JSON as its argument. */
export interface WorkerStart {
  /** The address of the module that has the program's function. */
  readonly module: string;
  /** The worker's name in the domain. */
  readonly name: string;
  /** Of a thread: a process inherits the domain. */
  readonly invitation?: Invitation | WorkerInvitation;
  /** The number of the process that has started it. */
  readonly starter: number;
}

/** A job, as it is sent to the worker that runs it. */
export interface SentJob {
  readonly data: unknown;
  readonly credits: number;
  readonly buffers: readonly { readonly mode: AccessMode; readonly handle: BufferHandleData }[];
  readonly finished: FenceHandle;
}

/** A worker says once that it is ready, or has failed to become so, and then that each job begins, and how it has ended. */
export type WorkerReport =
  | { readonly said: "ready" | "begun" | "done" }
  | { readonly said: "failed"; readonly code: ErrorCode | undefined; readonly text: string };
