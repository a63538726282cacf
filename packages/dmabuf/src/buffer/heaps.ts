import { check, checkObject, FUNCTION, isName, NAME, orElse, required, type Kind, type Kinds } from "../arguments.js";
import { DmaBufError } from "../errors.js";
import type { ModuleMemory } from "../substrate/wasm-memory.js";
import type { BufferTable } from "./buffer-table.js";
import { AddedHeap, SystemHeap, type Heap, type HeapOps } from "./heap.js";
import { ModuleHeap } from "./module-heap.js";
import { SHARED_MODULE_MEMORY } from "./module-memory.js";

const HEAP_NAME: Kind = {
  ...NAME,
  wanted: `${NAME.wanted}, and not empty`,
  isTaken: (name: string) => name !== "" && isName(name),
};
const OPS: Kinds<HeapOps> = { allocate: required(orElse("EINVAL", FUNCTION)) };

/** How many heaps an agent can have. */
const MAX_HEAPS = 128;

export let makeHeaps: (buffers: BufferTable) => Heaps;

/**
 * The heaps of one agent, by name. "system" is always there; the others are added by the code that has the memory, and
 * stay until the agent leaves. Their buffers are shared like all others.
 *
 * @example
 * ```ts
 * import { Domain } from "dmabuf";
 *
 * using domain = Domain.create();
 * const heap = domain.heaps.add("pool", {
 *   allocate: (size) => ({ segments: [{ memory: new SharedArrayBuffer(size), offset: 0, length: size }] }),
 * });
 * using buffer = heap.allocate(4096);
 * ```
 * @see linux/drivers/dma-buf/dma-heap.c
 */
export class Heaps {
  readonly #buffers: BufferTable;
  readonly #heaps = new Map<string, Heap>();

  static {
    makeHeaps = (buffers) => new Heaps(buffers);
  }

  private constructor(buffers: BufferTable) {
    this.#buffers = buffers;
    const system = new SystemHeap(buffers);
    this.#heaps.set(system.name, system);
  }

  /** The heap of a name. @throws {DmaBufError} `ENODEV` if there is none. */
  get(name: string): Heap {
    check("Heaps.get()", "name", name, NAME);
    const heap = this.#heaps.get(name);
    if (heap === undefined) throw new DmaBufError("ENODEV", `No heap has the name "${name}"`);
    return heap;
  }

  /** The names of all heaps, in the order in which they were added. */
  get names(): string[] {
    return [...this.#heaps.keys()];
  }

  /**
   * Adds a heap.
   *
   * @param name Stable; says what the memory is, not how it is got. At most 31 bytes of UTF-8.
   * @throws {DmaBufError} `EINVAL` if the name is empty, too long or in use, or `allocate` is missing; `ENOSPC` if there
   *   are 128 heaps.
   */
  add(name: string, ops: HeapOps): Heap {
    check("Heaps.add()", "name", name, HEAP_NAME);
    checkObject("Heaps.add()", "ops", ops, OPS);
    return this.#add(new AddedHeap(name, this.#buffers, ops));
  }

  /**
   * Adds a heap whose buffers lie in the shared memory of a WebAssembly module: the module uses them in place, in each
   * thread that has the memory. The memory grows for them. A stream takes its frames from there by its option `heap`.
   *
   * @param name As that of {@link add}.
   * @param memory A shared `WebAssembly.Memory`.
   * @returns A heap of a domain of threads: processes cannot reach this memory.
   * @throws {DmaBufError} As {@link add}.
   * @example
   * ```ts
   * import { Domain, rawFormat } from "dmabuf";
   *
   * const memory = new WebAssembly.Memory({ initial: 1, maximum: 256, shared: true });
   * using domain = Domain.create();
   * domain.heaps.addModuleMemory("module", memory);
   * using stream = domain.createStream({ format: rawFormat(4096), heap: "module" });
   * using window = domain.createModuleWindow(memory, stream);
   * console.log(window.way); // "in place"
   * ```
   */
  addModuleMemory(name: string, memory: ModuleMemory): Heap {
    check("Heaps.addModuleMemory()", "name", name, HEAP_NAME);
    check("Heaps.addModuleMemory()", "memory", memory, SHARED_MODULE_MEMORY);
    return this.#add(new ModuleHeap(name, this.#buffers, memory));
  }

  #add(heap: Heap): Heap {
    const { name } = heap;
    this.#buffers.agent.checkJoined();
    if (this.#heaps.has(name)) throw new DmaBufError("EINVAL", `Cannot add heap "${name}": the name is in use`);
    if (this.#heaps.size >= MAX_HEAPS) {
      throw new DmaBufError("ENOSPC", `Cannot add heap "${name}": there are ${MAX_HEAPS} already`);
    }
    this.#heaps.set(name, heap);
    return heap;
  }
}
