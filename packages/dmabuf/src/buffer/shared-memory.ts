import { isWhole } from "../arguments.js";
import type { Agent } from "../domain/agent.js";
import { Neighbours } from "../host/neighbours.js";
import { DmaBufError } from "../errors.js";
import { checkStorage, type Storage, type StorageSegment } from "./storage.js";
import type { StorageCarrier } from "./storage-carrier.js";
import { StorageMessages } from "./storage-messages.js";

/** As {@link sharedMemory}, and storage that is moved goes to the neighbours. */
export function threadStorage(agent: Agent): { readonly carrier: StorageCarrier; readonly neighbours: Neighbours } {
  const neighbours = new Neighbours();
  return { carrier: { ...sharedMemory, exchange: new StorageMessages(agent, neighbours, held) }, neighbours };
}

/** The storage of threads: only a message can carry a `SharedArrayBuffer`, so each handle has it along. */
export const sharedMemory: StorageCarrier = {
  allocate(length, { sealed = false }) {
    if (sealed) throw new DmaBufError("EOPNOTSUPP", "Cannot seal memory of threads: each can write to it");
    return held([{ memory: allocateMemory(length), offset: 0, length }]);
  },
  adopt: held,
  send: ({ storage }) => storage.segments,
  receive({ slot, generation, version, segments, size }, known) {
    if (known !== undefined) return known;
    if (!isWhole(segments) || !(segments as StorageSegment[]).every(hasMemory)) {
      throw new DmaBufError("EINVAL", 'Cannot import the buffer: "segments" of its handle is damaged');
    }
    checkStorage(segments, size);
    return { key: { slot, generation }, version, storage: held(segments) };
  },
};

/** Memory that lives as long as anything refers to it. */
function held(segments: readonly StorageSegment[]): Storage {
  return { segments, lasts: true, beginUse: nothing, endUse: nothing, release: nothing };
}

function nothing(): void {}

function hasMemory(segment: StorageSegment): boolean {
  return typeof segment?.memory?.byteLength === "number";
}

/** @throws {DmaBufError} `ENOMEM` if there is not so much. */
export function allocateMemory(length: number): SharedArrayBuffer {
  try {
    return new SharedArrayBuffer(length);
  } catch (cause) {
    throw new DmaBufError("ENOMEM", `Cannot allocate ${length} bytes`, { cause });
  }
}
