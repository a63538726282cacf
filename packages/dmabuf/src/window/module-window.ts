import { allOrNothing } from "../all-or-nothing.js";
import { FUNCTION, refuse, type Kind } from "../arguments.js";
import { DmaBuf, holderOf } from "../buffer/buffer.js";
import type { HandleMode } from "../buffer/handle.js";
import { growRoom, liesIn, roomAt, wholePages, type Room } from "../buffer/module-memory.js";
import type { Storage } from "../buffer/storage.js";
import type { Agent } from "../domain/agent.js";
import { Held, owned } from "../domain/held.js";
import { DmaBufError } from "../errors.js";
import { FrameBytes, bufferUnder } from "../stream/frame.js";
import { endOf, FrameStream } from "../stream/frame-stream.js";
import { MODULE_PAGE, type ModuleMemory } from "../substrate/wasm-memory.js";
import { CopyPane, MappedPane, PlacePane, type Pane, type PaneSource } from "./pane.js";

/** How a window is made. */
export interface ModuleWindowOptions {
  /**
   * What the module may do. Default "read". With "read-write" it writes to the loans of a stream that this thread produces, or to
   * a buffer that this holder may write to.
   */
  readonly mode?: HandleMode;
  /**
   * Finds room in the memory for so many bytes, at a multiple of the alignment (65,536), as a module's `memalign()` or
   * `aligned_alloc()` does, and returns its address; it stays the program's, and holds zeros after the window's end.
   * Default: the memory grows, which is right for a module that does not take pages for its own that it has not asked for.
   * An allocator of Emscripten does: give its `memalign`.
   */
  readonly allocate?: (bytes: number, alignment: number) => number;
}

type Way = ModuleWindow["way"];

const CONTENT: Kind = {
  wanted: "a frame, a loan or a DmaBuf",
  isKind: (value) => value instanceof FrameBytes || value instanceof DmaBuf,
};

export let makeModuleWindow: (
  call: string,
  agent: Agent,
  memory: ModuleMemory,
  source: FrameStream | DmaBuf,
  options: ModuleWindowOptions,
) => ModuleWindow;

/**
 * The frames of a stream, or a buffer, at addresses of a WebAssembly module's memory. Addresses are the same until the
 * close, also when the memory grows. Keep the window as long as the module uses them: when it is closed or collected, there
 * are zeros, and where bytes are mapped also as soon as the stream or buffer is closed here.
 *
 * **Where frames are mapped, a module that may only read cannot write**: an ordinary store is an error, see {@link call}. A store by
 * an atomic instruction, `memory.fill` or `memory.copy`, or by JavaScript through a view of the memory, ends the process, as
 * any write to memory does that may only be read. Threads have no such rights: there it is only forbidden.
 *
 * @example
 * ```ts
 * import { Domain, rawFormat } from "dmabuf";
 *
 * const memory = new WebAssembly.Memory({ initial: 1 });
 * using domain = Domain.create();
 * using stream = domain.createStream({ format: rawFormat(4) });
 * using consumer = stream.frames();
 * using window = domain.createModuleWindow(memory, stream);
 * using loan = await stream.loan();
 * loan?.bytes.fill(7);
 * loan?.publish();
 * using frame = await consumer.next();
 * // A module would get the pointer: exports.blur(pointer, width, height).
 * if (frame !== undefined) console.log(new Uint8Array(memory.buffer, window.pointerTo(frame), 4)); // [7, 7, 7, 7]
 * ```
 */
export class ModuleWindow implements Disposable {
  /**
   * How bytes come into the memory: they are `"mapped"` there, or lie there `"in place"` from the start; or they are `"copied"`,
   * which `copiedBytes()` counts.
   */
  readonly way: "mapped" | "in place" | "copied";
  readonly #panes: ReadonlyMap<PaneSource, Pane>;
  readonly #held: Held;
  /** Whether a store is an error. */
  readonly #isGuarded: boolean;

  static {
    makeModuleWindow = (call, agent, memory, source, options) => {
      const { mode = "read" } = options;
      const isStream = source instanceof FrameStream;
      if (mode === "read-write") checkWritable(source);
      if (!isStream) holderOf(source).record.pages?.check("let a module use");
      const sources: readonly PaneSource[] = isStream ? endOf(source).buffers : [holderOf(source)];
      const bytes = isStream ? source.format.size : source.size;
      const way = wayInto(memory, sources);
      if (way === "copied" && mode === "read-write") {
        throw new DmaBufError("EOPNOTSUPP", "Cannot let the module write: frames can only be copied into this memory");
      }
      const name = source.name;
      return allOrNothing((orUndo) => {
        const room =
          way === "in place" ? undefined : roomFor(call, memory, wholePages(bytes) * sources.length, options);
        if (room !== undefined) orUndo(() => room.release());
        const panes = new Map<PaneSource, Pane>();
        for (const one of sources) {
          const pages = { memory, bytes, isWritable: mode === "read-write" };
          const address = (room?.address ?? 0) + panes.size * wholePages(bytes);
          const pane = paneOf(way, one, { ...pages, address });
          panes.set(one, pane);
          orUndo(() => pane.close());
        }
        const held = new Held(
          agent.held,
          () => `A window of ${isStream ? "stream" : "buffer"} "${name}"`,
          () => {
            for (const pane of panes.values()) pane.close();
            room?.release();
          },
        );
        return owned(held, new ModuleWindow(way, panes, held, way === "mapped" && mode === "read"));
      });
    };
  }

  private constructor(way: Way, panes: ReadonlyMap<PaneSource, Pane>, held: Held, isGuarded: boolean) {
    this.way = way;
    this.#panes = panes;
    this.#held = held;
    this.#isGuarded = isGuarded;
  }

  /**
   * Where the module finds the first byte. The bytes are its to use as they are JavaScript's: of a frame or loan until it is given
   * back, of a buffer during an access. Ask for each frame: where bytes are copied, that happens here, and a memory that has grown
   * gets back what protects the frame.
   *
   * @param content A frame or loan of the window's stream, or the window's buffer.
   * @throws {DmaBufError} `EINVAL` if it is of another stream; `EBADF` if it was given back, or the window is closed; `EAGAIN`
   *   if its memory was moved and is not here yet; `ENOMEM`.
   */
  pointerTo(content: FrameBytes | DmaBuf): number {
    if (!CONTENT.isKind(content)) refuse("ModuleWindow.pointerTo()", "content", content, CONTENT);
    if (this.#held.isOver) throw new DmaBufError("EBADF", "Cannot use the window: it is closed");
    const isFrame = content instanceof FrameBytes;
    const bytes = isFrame ? content.bytes.length : content.size;
    const source = isFrame ? bufferUnder(content) : holderOf(content);
    const pane = source && this.#panes.get(source);
    if (pane === undefined) throw new DmaBufError("EINVAL", "Cannot find the bytes in the window: it is not of them");
    return pane.pointer(bytes);
  }

  /**
   * Calls a module, and says of a store to a frame what it was: WebAssembly itself says "memory access out of bounds".
   *
   * @param run Calls the module, and does not return a promise.
   * @throws {DmaBufError} `EFAULT` if the module has written to what it may only read, or used addresses that its memory does not
   *   have. What it had done until then stays. Other errors are those of `run`.
   */
  call<T>(run: () => T): T {
    if (typeof run !== "function") refuse("ModuleWindow.call()", "run", run, FUNCTION);
    try {
      return run();
    } catch (cause) {
      if (!this.#isGuarded || !isOutOfBounds(cause)) throw cause;
      const reason = "the module has written to bytes that it may only read, or used others than its memory's";
      throw new DmaBufError("EFAULT", `Cannot go on in the module: ${reason}`, { cause });
    }
  }

  /** Takes the bytes out of the module's memory: zeros are there then. Twice does nothing. */
  close(): void {
    this.#held.end();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/** @throws {DmaBufError} `EACCES`. */
function checkWritable(source: FrameStream | DmaBuf): void {
  if (source instanceof DmaBuf) return holderOf(source).checkWritable("let the module write to");
  if (source.isProducer) return;
  throw new DmaBufError(
    "EACCES",
    `Cannot let the module write to stream "${source.name}": it belongs to another agent`,
  );
}

function wayInto(memory: ModuleMemory, sources: readonly PaneSource[]): Way {
  const storages = sources.map(({ storage }) => storage);
  if (storages.every(({ layOver }) => layOver !== undefined)) return "mapped";
  return storages.every((storage) => isInPlace(storage, memory)) ? "in place" : "copied";
}

function isInPlace(storage: Storage, memory: ModuleMemory): boolean {
  storage.beginUse();
  try {
    return storage.segments.length === 1 && liesIn(storage.segments[0]!, memory);
  } finally {
    storage.endUse();
  }
}

function roomFor(call: string, memory: ModuleMemory, bytes: number, { allocate }: ModuleWindowOptions): Room {
  return allocate === undefined ? growRoom(memory, bytes) : roomAt(call, memory, allocate(bytes, MODULE_PAGE), bytes);
}

function paneOf(way: Way, source: PaneSource, pages: ConstructorParameters<typeof MappedPane>[1]): Pane {
  if (way === "mapped") return new MappedPane(source, pages);
  return way === "in place" ? new PlacePane(source) : new CopyPane(source, pages);
}

/** The name of the class is all that tells: this layer names no global. */
function isOutOfBounds(error: unknown): boolean {
  return error instanceof Error && error.name === "RuntimeError" && error.message.includes("out of bounds");
}
