import { fstatSync, readSync, statSync } from "node:fs";
import { check, checkOptions, integer, type Kinds } from "../../arguments.js";
import { BUFFER_SLOTS, bufferInode, bufferSize, exporterOf, fileOf } from "../../buffer/buffer-slot.js";
import type { StorageFile } from "../../buffer/storage.js";
import { liveAgentsIn, type Identity } from "../../domain/agent-slot.js";
import type { SlotKey } from "../../domain/referenced-table.js";
import { DmaBufError } from "../../errors.js";
import { threadLedger } from "../resources/thread-ledger.js";
import type { ProcessOf } from "./observed-agents.js";
import type { ObservedSegment } from "./observed-segment.js";
import { descriptorsOf, openFirst, unlessGone, type ProcessDescriptor } from "./processes.js";

/** Options of `DomainObserver.bytesOf()`. */
export interface BytesOfOptions {
  /** Where to begin. Default 0. */
  readonly offset?: number;
  /** How many bytes. Default: all from there on. */
  readonly length?: number;
}

const CALL = "DomainObserver.bytesOf()";
const COUNT = integer(0);
const OPTIONS: Kinds<BytesOfOptions> = { offset: COUNT, length: COUNT };

export function checkBytesOf(inode: number, options: BytesOfOptions): void {
  check(CALL, "inode", inode, COUNT);
  checkOptions(CALL, options, OPTIONS);
}

/** A copy of a buffer's bytes, from its memory file, as a process of a holder has it open. No agent is asked. */
export function bytesOfBuffer(
  segment: ObservedSegment,
  processOf: ProcessOf,
  inode: number,
  options: BytesOfOptions,
): Uint8Array<ArrayBuffer> {
  const key = [...BUFFER_SLOTS.live(segment)].find(({ slot }) => bufferInode(segment, slot) === inode);
  if (key === undefined) throw gone(inode);
  const size = bufferSize(segment, key.slot);
  const { offset = 0 } = options;
  check(CALL, 'option "offset"', offset, integer(0, size));
  const { length = size - offset } = options;
  check(CALL, 'option "length"', length, integer(0, size - offset));
  const file = fileOf(segment, key.slot);
  if (file === undefined) {
    const reason = "its storage is not one memory file, which could be opened once more";
    throw new DmaBufError("EOPNOTSUPP", `Cannot look at the bytes of buffer ${inode}: ${reason}`);
  }
  const bytes = new Uint8Array(length);
  read(descriptorsTo(segment, key, processOf, file), file, inode, bytes, offset);
  // A buffer that was freed has lost its memory.
  if (!BUFFER_SLOTS.isLive(segment, key)) throw gone(inode);
  return bytes;
}

function read(
  files: readonly ProcessDescriptor[],
  file: StorageFile,
  inode: number,
  bytes: Uint8Array,
  offset: number,
): void {
  const ledger = threadLedger();
  const opened = openFirst(files, ledger);
  if (opened === undefined) {
    const reason = "no process that may be looked into has its memory open";
    throw new DmaBufError("ENODATA", `Cannot look at the bytes of buffer ${inode}: ${reason}`);
  }
  try {
    const descriptor = ledger.descriptorOf(opened.entry);
    // Files of several buffers may have one name: it may be another one that has the descriptor's number by now.
    if (fstatSync(descriptor).ino !== file.inode) throw gone(inode);
    for (let at = 0; at < bytes.length;) {
      const count = readSync(descriptor, bytes, at, bytes.length - at, file.offset + offset + at);
      if (count === 0) throw gone(inode);
      at += count;
    }
  } finally {
    ledger.close(opened.entry);
  }
}

/** The descriptors of a file in the processes of the agents that hold a buffer, and of its exporter. */
function descriptorsTo(
  segment: ObservedSegment,
  { slot }: SlotKey,
  processOf: ProcessOf,
  file: StorageFile,
): ProcessDescriptor[] {
  const { layout } = segment;
  const holders = liveAgentsIn(segment, layout.buffer(slot) + layout.BUFFER.REFERENCES);
  const agents: Identity[] = [...holders, exporterOf(segment, slot)];
  const processes = new Set(agents.map(processOf).filter((process) => process !== undefined));
  let refusal: DmaBufError | undefined;
  const descriptors = [...processes].flatMap((process) => {
    try {
      return descriptorsOf(process).filter((descriptor) => isOf(descriptor, file));
    } catch (error) {
      if (!(error instanceof DmaBufError)) throw error;
      if (error.code !== "ESRCH") refusal = error;
      return [];
    }
  });
  if (descriptors.length === 0 && refusal !== undefined) throw refusal;
  return descriptors;
}

function isOf({ pid, descriptor, name }: ProcessDescriptor, { inode }: StorageFile): boolean {
  if (!name.startsWith("/memfd:")) return false;
  return unlessGone(() => statSync(`/proc/${pid}/fd/${descriptor}`).ino) === inode;
}

function gone(inode: number): DmaBufError {
  return new DmaBufError("ENOENT", `Cannot look at the bytes of buffer ${inode}: there is no such buffer`);
}
