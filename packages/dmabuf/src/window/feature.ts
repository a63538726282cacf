import { check, checkOptions, FUNCTION, type Kinds } from "../arguments.js";
import { DMA_BUF, type DmaBuf } from "../buffer/buffer.js";
import { HANDLE_MODE } from "../buffer/handle.js";
import { MODULE_MEMORY } from "../buffer/module-memory.js";
import type { Feature } from "../domain/feature.js";
import type { ModuleMemory } from "../substrate/wasm-memory.js";
import { FRAME_STREAM, type FrameStream } from "../stream/frame-stream.js";
import { makeModuleWindow, type ModuleWindow, type ModuleWindowOptions } from "./module-window.js";

const CALL = "Domain.createModuleWindow()";

const SOURCE = {
  wanted: "a FrameStream or a DmaBuf",
  isKind: (value: unknown) => FRAME_STREAM.isKind(value) || DMA_BUF.isKind(value),
};

const OPTIONS: Kinds<ModuleWindowOptions> = { mode: HANDLE_MODE, allocate: FUNCTION };

/**
 * What a domain does with WebAssembly modules.
 *
 * @example
 * ```ts
 * import { Domain, rawFormat } from "dmabuf";
 *
 * const memory = new WebAssembly.Memory({ initial: 1 });
 * using domain = Domain.create();
 * using stream = domain.createStream({ format: rawFormat(4096) });
 * using window = domain.createModuleWindow(memory, stream);
 * console.log(window.way); // "copied": no other memory can be put into this one
 * ```
 */
export interface WindowMembers {
  /**
   * A window through which a WebAssembly module sees the frames of a stream, or a buffer, at addresses of its own memory.
   *
   * @param memory The module's `WebAssembly.Memory`: the one that it imports, or mostly `exports.memory`.
   * @param source An end of a stream, or a buffer.
   * @throws {DmaBufError} `ENOMEM` if the memory cannot grow, or `allocate` gives 0; `EBUSY` if `allocate` gives bytes of
   *   another window's; `EACCES` to write to what may only be read, `EPERM` to what is sealed; `EOPNOTSUPP` to write where
   *   frames can only be copied; `EBADF` if the stream or buffer is closed, or this thread has left the domain.
   * @throws {TypeError | RangeError} If an argument is wrong; if `allocate` gives anything but a multiple of 65,536 with
   *   so many bytes behind it.
   */
  createModuleWindow(memory: ModuleMemory, source: FrameStream | DmaBuf, options?: ModuleWindowOptions): ModuleWindow;
}

export const WINDOWS: Feature<WindowMembers> = {
  name: "windows",
  shares: [],
  steps: [],
  install: ({ agent }) => ({
    createModuleWindow(memory, source, options = {}) {
      check(CALL, "memory", memory, MODULE_MEMORY);
      check(CALL, "source", source, SOURCE);
      checkOptions(CALL, options, OPTIONS);
      agent.checkJoined();
      return makeModuleWindow(CALL, agent, memory, source, options);
    },
  }),
};
