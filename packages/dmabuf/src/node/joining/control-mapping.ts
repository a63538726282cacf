import { wantsAtomics } from "../../host/environment.js";
import { createWasmMemory, type WasmMemory } from "../../substrate/wasm-memory.js";
import { layZeros, type ResourceLedger } from "../resources/resource-ledger.js";
import { addressOf, mapMemory, viewOf, writtenRanges } from "../system-calls/index.js";

/**
 * A control segment's memory file, mapped into this thread.
 *
 * control-mapping.1. It is mapped over the pages of a shared `WebAssembly.Memory`, where one can be had: WebAssembly then
 *      works on its words by atomic instructions. Elsewhere it is a view of the thread's ledger.
 * control-mapping.2. A mapping over such a memory is in no ledger. The engine unmaps the memory's addresses, with whatever
 *      is there, when the memory is collected or its thread has ended; from then on they may be another thread's.
 * control-mapping.3. At its end the file is unmapped at once. What is left of the domain in this thread sees a copy of
 *      the words, as they were at that moment, and no other process sees what is written there.
 */
export interface ControlMapping {
  readonly memory: ArrayBuffer | WasmMemory;
  /** @returns The memory that the words are in from now on. */
  end(): ArrayBufferLike;
}

/** @param length Bytes, whole pages. */
export function mapControl(ledger: ResourceLedger, control: number, length: number): ControlMapping {
  try {
    return mapOverWasm(control, length);
  } catch {
    return mapAsView(ledger, control, length);
  }
}

/** @throws {Error} With the reason why it cannot be had here. */
export function mapOverWasm(control: number, length: number): ControlMapping {
  if (wantsAtomics()) throw new Error("DMABUF_WORDS=atomics asks for it");
  const memory = createWasmMemory(length);
  if (memory === undefined) {
    throw new Error(
      "This runtime has no shared WebAssembly.Memory, or no room for its gigabytes of addresses (see `ulimit -v`)",
    );
  }
  const bytes = new Uint8Array(memory.buffer);
  const address = addressOf(bytes);
  mapMemory({ length, protection: "read-write", fd: control, over: address });
  return {
    memory,
    end() {
      const written = Array.from(writtenRanges(control, length), ({ start, end }) => ({
        start,
        copy: bytes.slice(start, end),
      }));
      layZeros(address, length);
      for (const { start, copy } of written) bytes.set(copy, start);
      return memory.buffer;
    },
  };
}

function mapAsView(ledger: ResourceLedger, control: number, length: number): ControlMapping {
  const entry = ledger.map({ fd: control, length, isWritable: true });
  const memory = viewOf(ledger.addressOf(entry), length);
  return {
    memory,
    end() {
      // Only what was ever written takes memory in the copy, as it does in the file.
      const rest = new ArrayBuffer(length);
      for (const { start, end } of writtenRanges(control, length)) {
        new Uint8Array(rest).set(new Uint8Array(memory, start, end - start), start);
      }
      ledger.unmap(entry);
      return rest;
    },
  };
}
