import type { Identity, Member } from "../domain/agent-slot.js";
import { BUFFER } from "../domain/layout.js";
import { isLater, promised, type Reporter } from "../domain/promised.js";
import { DmaBufError, errnoOf, textOf } from "../errors.js";
import type { Done, Given } from "./call.js";
import { EXPORTER_FLAG, type Pages } from "./request-slot.js";
import { cut, PAGE_SIZE, segmentBytes, type Storage } from "./storage.js";
import { dropPin, tryAddPin } from "./storage-slot.js";

/** What fills the pages of a buffer. */
export interface PageSource {
  /** Bytes of the buffer. */
  readonly size: number;
  /** Bytes of a page, a multiple of `PAGE_SIZE`. */
  readonly pageSize: number;
  /** See `PagedBufferOptions`. */
  readonly fill: (offset: number, bytes: Uint8Array) => Done;
}

/** The buffer of the pages, in its exporter's agent. */
export interface PagedStorage {
  readonly member: Member;
  readonly bufferSlot: number;
  readonly host: Reporter;
  /** Where the bytes are now. */
  readonly current: () => Storage;
  /** Keeps the buffer from being freed until the result is called; `undefined` if it is gone. */
  readonly keep: () => (() => void) | undefined;
}

/** Which pages of a buffer are filled, as its exporter's agent knows: see paged-buffer.ts. */
export class FilledPages {
  readonly #source: PageSource;
  readonly #storage: PagedStorage;
  /** 1 for each page that is filled. */
  readonly #filled: Uint8Array;
  /** The pages that are being filled, each with the end of that; without one, in the call of `fill` itself. */
  readonly #filling = new Map<number, Promise<void> | undefined>();
  /** Each as often as it has pinned the pages. */
  readonly #pinners: Identity[] = [];

  constructor(source: PageSource, storage: PagedStorage) {
    this.#source = source;
    this.#storage = storage;
    this.#filled = new Uint8Array(Math.ceil(source.size / source.pageSize));
  }

  /** The agents that have pinned the pages. */
  get owners(): readonly Identity[] {
    return this.#pinners;
  }

  /** Fills what is missing of some pages; those that are being filled are waited for. */
  fault({ first, count }: Pages): Given<void> {
    const { pageSize } = this.#source;
    const pending = new Set<Promise<void>>();
    const end = Math.min(Math.ceil(((first + count) * PAGE_SIZE) / pageSize), this.#filled.length);
    for (let page = Math.floor((first * PAGE_SIZE) / pageSize); page < end; page++) {
      if (this.#filling.has(page)) pending.add(this.#underWay(page));
      if (!this.#isMissing(page)) continue;
      const start = page;
      while (page + 1 < end && this.#isMissing(page + 1)) page++;
      const given = this.#fill(start, page + 1);
      if (isLater(given)) pending.add(given);
    }
    if (pending.size > 0) return Promise.all(pending).then(() => {});
  }

  /** Fills all pages, and says to all agents that they are (paged-buffer.4). */
  pin(owner: Identity): Given<void> {
    const pinned = (): void => {
      this.#pinners.push(owner);
      const { member, bufferSlot } = this.#storage;
      member.memory.or(flagsWord(member, bufferSlot), EXPORTER_FLAG.PINNED);
    };
    const given = this.fault({ first: 0, count: Math.ceil(this.#source.size / PAGE_SIZE) });
    return isLater(given) ? given.then(pinned) : pinned();
  }

  /** The end of one {@link pin} of an agent, if it has any. */
  unpin(owner: Identity): void {
    const index = this.#pinners.indexOf(owner);
    if (index < 0) return;
    this.#pinners.splice(index, 1);
    const { member, bufferSlot } = this.#storage;
    if (this.#pinners.length === 0) member.memory.and(flagsWord(member, bufferSlot), ~EXPORTER_FLAG.PINNED);
  }

  unpinAll(owner: Identity): void {
    while (this.#pinners.includes(owner)) this.unpin(owner);
  }

  #isMissing(page: number): boolean {
    return this.#filled[page] === 0 && !this.#filling.has(page);
  }

  #underWay(page: number): Promise<void> {
    const end = this.#filling.get(page);
    if (end !== undefined) return end;
    throw new DmaBufError("EDEADLK", "Cannot fault pages of the buffer: the call that fills them touches them itself");
  }

  /** paged-buffer.2, for adjacent pages. */
  #fill(first: number, end: number): Given<void> {
    const letGo = this.#keepInPlace();
    const mark = (end_: Promise<void> | undefined): void => {
      for (let page = first; page < end; page++) this.#filling.set(page, end_);
    };
    const isOver = (filled: 0 | 1): void => {
      this.#filled.fill(filled, first, end);
      for (let page = first; page < end; page++) this.#filling.delete(page);
      letGo();
    };
    const failed = (error: unknown): never => {
      isOver(0);
      throw this.#shown(error);
    };
    mark(undefined);
    let given: Given<unknown>;
    try {
      given = this.#fillBytes(first, end);
    } catch (error) {
      return failed(error);
    }
    if (!isLater(given)) return isOver(1);
    const filling = given.then(() => isOver(1), failed);
    mark(filling);
    // Who has faulted may have given up.
    filling.catch(() => {});
    return filling;
  }

  #fillBytes(first: number, end: number): Given<unknown> {
    const { pageSize, size, fill } = this.#source;
    const start = first * pageSize;
    const length = Math.min(end * pageSize, size) - start;
    let offset = start;
    const pending: Promise<unknown>[] = [];
    // More than one only where the storage was moved to segments that divide these pages.
    for (const segment of cut(this.#storage.current().segments, start, length)) {
      const given = promised(fill(offset, segmentBytes(segment)));
      if (isLater(given)) pending.push(given);
      offset += segment.length;
    }
    return pending.length === 0 ? undefined : Promise.all(pending);
  }

  /** The buffer, its storage and the memory stay (paged-buffer.5) until the result is called. */
  #keepInPlace(): () => void {
    const { member, bufferSlot, current, keep } = this.#storage;
    const unkeep = keep();
    if (unkeep === undefined) throw new DmaBufError("ESTALE", "Cannot fill pages: the buffer is gone");
    if (!tryAddPin(member, bufferSlot)) {
      unkeep();
      throw new DmaBufError("EAGAIN", "Cannot fill pages: the storage is being moved");
    }
    const storage = current();
    storage.beginUse();
    return () => {
      storage.endUse();
      dropPin(member, bufferSlot);
      unkeep();
    };
  }

  /** An error without a code is a mistake of the program: other agents could not see its text. */
  #shown(error: unknown): unknown {
    if (errnoOf(error) !== undefined) return error;
    this.#storage.host.warn(`What fills the pages of a buffer threw: ${textOf(error)}`);
    return new DmaBufError("EIO", `Cannot fill pages of the buffer: ${textOf(error)}`, { cause: error });
  }
}

/** Whether a buffer has pages that are not to be touched without a fault: not all are filled, or they need not stay. */
export function isUnpinned({ memory, layout }: Pick<Member, "memory" | "layout">, bufferSlot: number): boolean {
  const flags = memory.load(layout.buffer(bufferSlot) + BUFFER.FLAGS);
  return (flags & (EXPORTER_FLAG.PAGED | EXPORTER_FLAG.PINNED)) === EXPORTER_FLAG.PAGED;
}

function flagsWord({ layout }: Member, bufferSlot: number): number {
  return layout.buffer(bufferSlot) + BUFFER.FLAGS;
}
