/**
 * A viewer in a process of its own, for tests: it looks at a stream, tries what it may not do, and says what came of it.
 *
 * Usage: node viewer-peer.js PLACE FRAMES
 */
import { readdirSync, readlinkSync } from "node:fs";
import process from "node:process";
import { DmaBufError } from "../../src/index.js";
import { StreamViewer } from "../../src/node/index.js";
import {
  closeDescriptor,
  isWritable,
  mapMemory,
  reopenDescriptor,
  unmapMemory,
} from "../../src/node/system-calls/index.js";

export interface ViewerReport {
  /** The number that each frame that came begins with. */
  readonly seen: number[];
  /** How many bytes each of them has. */
  readonly lengths: number[];
  /** What its descriptors of memory are, and whether each can write. */
  readonly memory: string[];
  /** What came of opening the memory of the first frame once more, to write: "written", or an error's code. */
  readonly attack: string;
  readonly failed?: string;
}

const [, , place, frames] = process.argv as [string, string, string, string];
process.send?.(await report());
process.disconnect();

async function report(): Promise<ViewerReport> {
  const seen: number[] = [];
  const lengths: number[] = [];
  try {
    using viewer = await StreamViewer.connect(place);
    const memory = memoryDescriptors();
    for await (const frame of viewer.frames()) {
      seen.push(new DataView(frame.bytes.buffer, frame.bytes.byteOffset).getUint32(0));
      lengths.push(frame.bytes.length);
      if (seen.length === Number(frames)) break;
    }
    const kinds = memory.map((fd) => `${nameOf(fd)} ${isWritable(fd) ? "read-write" : "read"}`);
    return { seen, lengths, memory: kinds, attack: attack(memory[0]!) };
  } catch (error) {
    const failed = error instanceof DmaBufError ? error.code : String(error);
    return { seen, lengths, memory: [], attack: "", failed };
  }
}

function memoryDescriptors(): number[] {
  const all = readdirSync("/proc/self/fd").map(Number);
  return all.filter((fd) => nameOf(fd).startsWith("/memfd:dmabuf"));
}

function nameOf(fd: number): string {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`);
  } catch {
    return "";
  }
}

/** What a process may do that has a descriptor, and wants more than it was given. */
function attack(fd: number): string {
  try {
    const writable = reopenDescriptor(fd, "read-write");
    try {
      unmapMemory(mapMemory({ length: 4096, protection: "read-write", fd: writable }), 4096);
      return "written";
    } finally {
      closeDescriptor(writable);
    }
  } catch (error) {
    return (error as DmaBufError).code;
  }
}
