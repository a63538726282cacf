import type { Agent } from "../domain/agent.js";
import type { Steps } from "../domain/steps.js";
import { DmaBufError } from "../errors.js";
import type { PageLink } from "./exporter-link.js";
import { isUnpinned } from "./filled-pages.js";
import { PAGE_SIZE } from "./storage.js";

/** What an agent knows of the pages of a paged buffer: see paged-buffer.ts. */
export class BufferPages {
  readonly #agent: Agent;
  readonly #bufferSlot: number;
  readonly #link: PageLink;
  /** 1 for each page of `PAGE_SIZE` that is known to be filled (paged-buffer.1). */
  readonly #filled: Uint8Array;

  constructor(agent: Agent, bufferSlot: number, size: number, link: PageLink) {
    this.#agent = agent;
    this.#bufferSlot = bufferSlot;
    this.#link = link;
    this.#filled = new Uint8Array(Math.ceil(size / PAGE_SIZE));
  }

  get isPinned(): boolean {
    return !isUnpinned(this.#agent, this.#bufferSlot);
  }

  /** paged-buffer.3. @throws {DmaBufError} `EFAULT` if the pages are not pinned. */
  check(action: string): void {
    if (this.isPinned) return;
    throw new DmaBufError(
      "EFAULT",
      `Cannot ${action} the buffer: its pages are filled when they are touched, which may take without bound; pin() it first`,
    );
  }

  /** Has the pages of a range of bytes filled, as far as they are not known to be. @param timeout For messages. */
  *fault(offset: number, length: number, timeout?: number): Steps<void> {
    const first = Math.floor(offset / PAGE_SIZE);
    const end = Math.ceil((offset + length) / PAGE_SIZE);
    if (!this.#filled.subarray(first, end).includes(0)) return;
    const asked = this.#link.fault({ first, count: end - first }, timeout);
    if (asked !== undefined) yield* asked;
    this.#filled.fill(1, first, end);
  }

  /** @param timeout For messages. */
  *pin(timeout?: number): Steps<void> {
    const asked = this.#link.pinPages(timeout);
    if (asked !== undefined) yield* asked;
    this.#filled.fill(1);
  }

  unpin(): void {
    if (!this.#agent.closed) this.#link.unpinPages();
  }
}
