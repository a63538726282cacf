import { allOrNothing } from "../all-or-nothing.js";
import type { ModuleMemory } from "../substrate/wasm-memory.js";
import { holderOf, type DmaBuf } from "./buffer.js";
import { BUFFER_SLOTS, type BufferKey } from "./buffer-slot.js";
import type { BufferTable } from "./buffer-table.js";
import { checkAllocation, firstHolder, type AllocateOptions, type Heap } from "./heap.js";
import { growRoom, mark, MARK_BYTES, type Room } from "./module-memory.js";

/** A heap whose buffers lie in the shared memory of a WebAssembly module, where the module uses them in place. */
export class ModuleHeap implements Heap {
  readonly name: string;
  readonly #buffers: BufferTable;
  readonly #memory: ModuleMemory;
  /** Each has a buffer, until that is found gone. */
  #rooms: { readonly key: BufferKey; readonly room: Room }[] = [];

  constructor(name: string, buffers: BufferTable, memory: ModuleMemory) {
    this.name = name;
    this.#buffers = buffers;
    this.#memory = memory;
  }

  allocate(size: number, options: AllocateOptions = {}): DmaBuf {
    const length = checkAllocation(size, options, this.name);
    this.#buffers.agent.checkJoined();
    this.#reclaim();
    return allOrNothing((orUndo) => {
      const room = growRoom(this.#memory, length + MARK_BYTES);
      orUndo(() => room.release());
      const memory = this.#memory.buffer;
      const offset = room.address;
      // It may have been another buffer's.
      new Uint8Array(memory, offset, length).fill(0);
      mark(memory, offset + length);
      const { name = "" } = options;
      const buffer = this.#buffers.export([{ memory, offset, length }], { name, exporterName: this.name });
      orUndo(() => buffer.close());
      const { key } = holderOf(buffer).record;
      const first = firstHolder(buffer, options);
      this.#rooms.push({ key, room });
      return first;
    });
  }

  /** The last holder of a buffer may be another agent: what was freed is found when room is wanted. */
  #reclaim(): void {
    this.#rooms = this.#rooms.filter(({ key, room }) => {
      if (BUFFER_SLOTS.isLive(this.#buffers.agent, key)) return true;
      room.release();
      return false;
    });
  }
}
