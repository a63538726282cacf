import type { Part } from "../domain/feature.js";
import type { HandleMode, BufferHandleData } from "./handle.js";
import type { Storage, StorageSegment } from "./storage.js";
import type { StorageExchange, StorageVersion } from "./storage-exchange.js";

/** How memory is got and reaches other agents: all that differs for buffers between threads and processes. */
export interface StorageCarrier {
  /** How storage that was moved reaches them. Without it, buffers cannot be moved. */
  readonly exchange?: StorageExchange;
  /**
   * New zeroed memory.
   *
   * @param length Bytes.
   * @throws {DmaBufError} `ENOMEM` if there is not so much; `EOPNOTSUPP` if it cannot be sealed.
   */
  allocate(length: number, options: { readonly name?: string; readonly sealed?: boolean }): Storage;
  /** Memory that the caller has already. @throws {DmaBufError} `EINVAL` if other agents could not reach it. */
  adopt(segments: readonly StorageSegment[]): Storage;
  /** Makes the storage reachable for the agent that gets a handle to it; returns what the handle itself carries of it. */
  send(storage: StorageVersion, mode: HandleMode): readonly StorageSegment[];
  /**
   * The storage of a handle that was sent to this agent: of the handle's version, or a newer one.
   *
   * @param held What the agent has of this buffer already, if it is as new: it is given back if it allows as much as
   *   the handle does, and goes with what is given back otherwise.
   * @throws {DmaBufError} `EINVAL` if the handle is damaged; `ESTALE` if the storage is gone.
   */
  receive(handle: BufferHandleData, held: StorageVersion | undefined): StorageVersion;
}

export const CARRIER: Part<StorageCarrier> = { name: "carrier" };
