import { Buffer } from "node:buffer";
import type { Picture } from "../picture.js";
import type { Findings, Job } from "./job.js";
import { motionFindings } from "./motion.js";
import { MODULE } from "./motion-module.js";

/** Pixels along a block's side. */
const SIDE = 16;
/** A block moves when its mean luma differs by more than this, pixel by pixel. */
const THRESHOLD = 10 * SIDE * SIDE;
const PAGE = 65_536;

/** See the source in `motion-module.ts`. All but the counts are addresses in its memory. */
type Compare = (luma: number, stride: number, columns: number, rows: number, before: number, sums: number) => void;

/**
 * Finds what moves by a WebAssembly module with SIMD, in every pixel. It reads the frame where that lies: the frames are in its
 * memory.
 */
export class MotionSimd implements Job {
  readonly memory: WebAssembly.Memory;
  readonly #compare: Compare;
  readonly #columns: number;
  readonly #rows: number;
  /** Where the frame before is kept. */
  readonly #before: number;
  readonly #sums: number;
  /** Where a frame goes that is not in the memory. */
  #own: number | undefined;
  #frames = 0;
  #moving = 0;
  #largest = 0;

  constructor(memory: WebAssembly.Memory, { width, height }: { readonly width: number; readonly height: number }) {
    this.memory = memory;
    const module = new WebAssembly.Module(Buffer.from(MODULE.BINARY, "base64"));
    this.#compare = new WebAssembly.Instance(module, { env: { memory } }).exports["compare"] as Compare;
    this.#columns = Math.floor(width / SIDE);
    this.#rows = Math.floor(height / SIDE);
    this.#before = this.#room(this.#blocks * SIDE * SIDE);
    this.#sums = this.#room(this.#blocks * Int32Array.BYTES_PER_ELEMENT);
  }

  look({ luma }: Picture): undefined {
    const { pointer = this.#copied(luma.bytes), stride } = luma;
    this.#compare(pointer, stride, this.#columns, this.#rows, this.#before, this.#sums);
    // The first one has nothing before it.
    if (this.#frames++ === 0) return;
    const sums = new Int32Array(this.memory.buffer, this.#sums, this.#blocks);
    let moving = 0;
    for (const sum of sums) if (sum > THRESHOLD) moving++;
    if (moving > 0) this.#moving++;
    this.#largest = Math.max(this.#largest, moving / this.#blocks);
  }

  async finish(): Promise<Findings> {
    return motionFindings(this.#moving, this.#largest);
  }

  get #blocks(): number {
    return this.#columns * this.#rows;
  }

  #room(bytes: number): number {
    return this.memory.grow(Math.ceil(bytes / PAGE)) * PAGE;
  }

  #copied(bytes: Uint8Array): number {
    this.#own ??= this.#room(bytes.length);
    new Uint8Array(this.memory.buffer, this.#own, bytes.length).set(bytes);
    return this.#own;
  }
}
