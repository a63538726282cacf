import { checkIntact } from "../domain/handle.js";
import { checkObject, required, U64, withCode, type Kind, type Kinds } from "../arguments.js";
import type { Agent, WaitCondition } from "../domain/agent.js";
import { DmaBufError } from "../errors.js";
import { userBackingOf, UserFence } from "../fence/user-fence.js";
import type { UserFenceBacking } from "../fence/user-fence-backing.js";
import type { UserFenceHandle, UserFenceHandleData } from "../fence/user-fence-handle.js";
import { MemoryWord } from "../substrate/memory-word.js";
import type { BufferRecord } from "./buffer-record.js";
import type { BufferHandle, BufferHandleData, HandleMode } from "./handle.js";
import { armWord, raiseWord } from "./memory-fence-slot.js";
import { makeMemoryMap, type MemoryMap } from "./memory-map.js";
import { PAGE_SIZE } from "./storage.js";

/** Which word of a buffer a {@link MemoryFence} waits for, and what for. */
export interface MemoryFenceOptions {
  /** Where the word is, in bytes from the start of the buffer; a multiple of 8. Default 0. */
  readonly offset?: number;
  /** The fence has signaled once the word is this, or more: from 0 to 2^64 - 1. */
  readonly value: number | bigint;
}

const WORD_BYTES = 8;

const OFFSET: Kind = {
  wanted: "a multiple of 8, 0 or more",
  isKind: (value) => typeof value === "number",
  isTaken: (value: number) => Number.isSafeInteger(value) && value >= 0 && value % WORD_BYTES === 0,
};

const OPTIONS: Kinds<MemoryFenceOptions> = { offset: withCode("EINVAL", OFFSET), value: required(U64) };

/** Looks at the options before anything is mapped. */
export function checkMemoryFence(call: string, options: MemoryFenceOptions): void {
  checkObject(call, "options", options, OPTIONS);
}

/** @throws {DmaBufError} `EINVAL` for a word that is not in the buffer; `EAGAIN` while the storage is being moved. */
export let makeMemoryFence: (record: BufferRecord, mode: HandleMode, options: MemoryFenceOptions) => MemoryFence;

/**
 * A user fence that is a number in a buffer, as GPUs have them: it has signaled once the unsigned 64-bit word at an offset, in
 * little-endian order, is at least a value. {@link DmaBuf.memoryFence} makes it, in each agent that has the buffer.
 *
 * memory-fence.1. Its word decides: who writes it, with this library or without, signals all memory fences that wait for as
 *     much or less. A fence that was seen signaled stays so, whatever is written afterwards.
 * memory-fence.2. `signal()` raises the word by a compare-exchange and never lowers it; then it takes the bits of those that
 *     wait for any word of the buffer, and rings them.
 * memory-fence.3. A waiter sets its bit before it looks. A device or a module that writes the word rings no agent: so a waiter
 *     also looks by itself, after 1 ms, and then after twice as long each time, up to 16 ms.
 * memory-fence.4. The storage stays where it is while such a fence, or a wait for it, needs it; a move is `EBUSY` then.
 *
 * @example
 * ```ts
 * import { Domain } from "dmabuf";
 *
 * using domain = Domain.create();
 * using buffer = domain.allocate(4096, { name: "progress" });
 * using half = buffer.memoryFence({ offset: 0, value: 50 });
 * using all = buffer.memoryFence({ offset: 0, value: 100 });
 * half.signal();
 * console.log(await half.wait({ timeout: 1000 }), all.isSignaled()); // signaled false
 * ```
 */
export class MemoryFence extends UserFence {
  static {
    makeMemoryFence = (record, mode, options) => new MemoryFence(new WordInBuffer(record, mode, options));
  }

  /** Where the word is, in bytes from the start of the buffer. */
  readonly offset: number;
  /** What the word must be at least. */
  readonly value: bigint;

  private constructor(word: WordInBuffer) {
    super(word);
    this.offset = word.offset;
    this.value = word.value;
  }

  override duplicate(): MemoryFence {
    return new MemoryFence(userBackingOf(this) as WordInBuffer);
  }
}

/** The word, while something in this agent uses it. */
class WordInBuffer implements UserFenceBacking {
  readonly agent: Agent;
  readonly offset: number;
  readonly value: bigint;
  readonly #record: BufferRecord;
  readonly #mode: HandleMode;
  readonly #map: MemoryMap;
  readonly #word: MemoryWord;
  /** Holders and waits. */
  #uses = 0;
  #hasSignaled = false;

  constructor(record: BufferRecord, mode: HandleMode, { offset = 0, value }: MemoryFenceOptions) {
    if (offset + WORD_BYTES > record.size) {
      throw new DmaBufError("EINVAL", `Cannot make a memory fence at ${offset}: the buffer has ${record.size} bytes`);
    }
    this.agent = record.agent;
    this.offset = offset;
    this.value = BigInt(value);
    this.#record = record;
    this.#mode = mode;
    const inPage = offset % PAGE_SIZE;
    this.#map = makeMemoryMap(record, { offset: offset - inPage, length: PAGE_SIZE }, record.pin());
    try {
      this.#word = wordIn(this.#map.segments, inPage);
    } catch (error) {
      this.#map.close();
      throw error;
    }
  }

  get name(): string {
    return `${this.#record.name}+${this.offset}`;
  }

  isSignaled(): boolean {
    this.agent.checkJoined();
    return (this.#hasSignaled ||= this.#word.load() >= this.value);
  }

  signal(): boolean {
    this.agent.checkJoined();
    if (this.#mode === "read") {
      throw new DmaBufError("EACCES", "Cannot signal the memory fence: its buffer's holder may only read it");
    }
    return raiseWord(this.agent, this.#record.key.slot, this.#word, this.value);
  }

  awaited(): WaitCondition {
    return new AwaitedWord(this, () => armWord(this.agent, this.#record.key.slot));
  }

  handle(): UserFenceHandle {
    this.agent.checkJoined();
    return new MemoryFenceHandle(this, this.#record.createHandle(this.#mode));
  }

  hold(): void {
    this.#uses++;
  }

  release(): void {
    if (--this.#uses === 0) this.#map.close();
  }
}

/** @throws {DmaBufError} `EINVAL` if the word is not in one piece, or not at a multiple of 8 in its memory. */
function wordIn(segments: readonly Uint8Array[], offset: number): MemoryWord {
  let start = offset;
  for (const { buffer, byteOffset, length } of segments) {
    const isAligned = (byteOffset + start) % WORD_BYTES === 0;
    if (start + WORD_BYTES <= length && isAligned) return new MemoryWord(buffer, byteOffset + start);
    if (start < length) break;
    start -= length;
  }
  throw new DmaBufError("EINVAL", "Cannot make a memory fence there: the storage has no whole word at that place");
}

/** Milliseconds between two looks at a word that rings no agent, at first and at most. */
const SOON = 1;
const SELDOM = 16;

/** One wait for a word (memory-fence.3). */
class AwaitedWord implements WaitCondition {
  readonly arm: () => void;
  readonly #word: WordInBuffer;
  #pause = SOON / 2;

  constructor(word: WordInBuffer, arm: () => void) {
    this.#word = word;
    this.arm = arm;
  }

  ready(): boolean {
    return this.#word.isSignaled();
  }

  recheckAfter(): number {
    return (this.#pause = Math.min(2 * this.#pause, SELDOM));
  }
}

/** A memory fence as a thing to send: a handle to its buffer, and which word it is. */
class MemoryFenceHandle implements UserFenceHandle {
  readonly kind = "user-fence";
  readonly domain: string;
  readonly form = "memory";
  readonly buffer: BufferHandleData;
  readonly offset: number;
  /** In decimal digits: JSON has no such number. */
  readonly value: string;
  readonly #buffer: BufferHandle;

  constructor({ offset, value }: WordInBuffer, buffer: BufferHandle) {
    this.domain = buffer.domain;
    this.buffer = buffer;
    this.offset = offset;
    this.value = String(value);
    this.#buffer = buffer;
  }

  close(): void {
    this.#buffer.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/** What a handle to a memory fence says, once it is known to be intact. */
export interface SentMemoryFence {
  readonly buffer: BufferHandleData;
  readonly options: MemoryFenceOptions;
}

/** @throws {DmaBufError} `EINVAL` if the handle is damaged; whether the buffer's is, is looked at when that is opened. */
export function readMemoryFenceHandle(handle: UserFenceHandleData): SentMemoryFence {
  const { buffer, offset, value } = handle as Partial<MemoryFenceHandle>;
  checkIntact("memory fence", {
    buffer: typeof buffer === "object" && buffer !== null,
    offset: OFFSET.isKind(offset) && OFFSET.isTaken!(offset as never),
    value: typeof value === "string" && /^\d{1,20}$/.test(value) && U64.isTaken!(BigInt(value) as never),
  });
  return { buffer: buffer!, options: { offset: offset!, value: BigInt(value!) } };
}
