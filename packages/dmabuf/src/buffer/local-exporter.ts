import { isLater, runEnd } from "../domain/promised.js";
import type { Steps } from "../domain/steps.js";
import type { Waiter } from "../domain/wait.js";
import { DmaBufError } from "../errors.js";
import type { AccessMode } from "../reservation/usage.js";
import { andThen, done, laterAnswer, type Given } from "./call.js";
import { EXPORTER, type ExporterAttachment, type ExporterOps } from "./exporter.js";
import type { ExporterLink, PageLink, Table } from "./exporter-link.js";
import { mapPinned, unmapPinned } from "./pinned-map.js";
import type { Pages } from "./request-slot.js";
import type { Sequence, ServedExport } from "./served-export.js";

/** The way to an exporter of this same agent. */
export class LocalExporter implements ExporterLink, PageLink {
  readonly isPlain = false;
  readonly asksToBegin = false;
  readonly #served: ServedExport;
  readonly #ops: ExporterOps;
  readonly #begin: (mode: AccessMode) => Given<void>;
  readonly #waiter: Waiter;
  /** What each importer gives back, in order. */
  readonly #returns = new WeakMap<ExporterAttachment, Sequence>();

  /** @param begin Runs the exporter's `beginCpuAccess`, after all ends that other agents have told of. */
  constructor(served: ServedExport, begin: (mode: AccessMode) => Given<void>, waiter: Waiter) {
    this.#served = served;
    this.#ops = served.ops;
    this.#begin = begin;
    this.#waiter = waiter;
  }

  attach(attachment: ExporterAttachment, timeout?: number): Steps<void> | undefined {
    if (this.#ops.attach === undefined) return undefined;
    return this.#asked(done(this.#ops.attach(attachment)), timeout, () => this.detach(attachment));
  }

  detach(attachment: ExporterAttachment): void {
    this.#returnsOf(attachment).run(() => done(this.#ops.detach?.(attachment)));
  }

  *map(attachment: ExporterAttachment, mode: AccessMode): Steps<Table> {
    const table = andThen(mapPinned(this.#ops, attachment, mode, this.#served), (segments) => ({
      segments,
      number: 0,
    }));
    return isLater(table) ? yield* laterAnswer(table, (given) => this.unmap(attachment, given)) : table;
  }

  unmap(attachment: ExporterAttachment, table: Table): void {
    this.#giveBackLocked(attachment, () => unmapPinned(this.#ops, attachment, table.segments, this.#served));
  }

  pin(attachment: ExporterAttachment): Steps<void> | undefined {
    if (this.#ops.pin === undefined) return undefined;
    const pinned = done(this.#ops.pin(attachment));
    return isLater(pinned) ? laterAnswer(pinned, () => this.unpin(attachment)) : undefined;
  }

  unpin(attachment: ExporterAttachment): void {
    this.#giveBackLocked(attachment, () => done(this.#ops.unpin?.(attachment)));
  }

  begin(mode: AccessMode, timeout?: number): Steps<void> | undefined {
    if (this.#ops.beginCpuAccess === undefined && this.#ops.endCpuAccess === undefined) return undefined;
    return this.#asked(this.#begin(mode), timeout, () => this.end(mode));
  }

  end(mode: AccessMode): void {
    void runEnd(this.#served, EXPORTER, () => this.#ops.endCpuAccess?.(mode));
  }

  mmap(): Steps<void> | undefined {
    if (this.#ops.mmap !== undefined) return this.#asked(done(this.#ops.mmap()));
    throw new DmaBufError("EINVAL", 'Cannot map the buffer: its exporter has no operation "mmap"');
  }

  fault(pages: Pages, timeout?: number): Steps<void> | undefined {
    return this.#asked(this.#served.fault(pages), timeout);
  }

  pinPages(timeout?: number): Steps<void> | undefined {
    return this.#asked(this.#served.pinPages(), timeout, () => this.unpinPages());
  }

  unpinPages(): void {
    this.#served.unpinPages();
  }

  /** What was asked for without the lock: nothing is left to wait for if the exporter has done it. */
  #asked(answer: Given<void>, timeout?: number, undo?: () => void): Steps<void> | undefined {
    return isLater(answer) ? laterAnswer(answer, undo, this.#waiter, timeout) : undefined;
  }

  /** With the lock that the caller holds, or with one that is taken for it, now or later. */
  #giveBackLocked(attachment: ExporterAttachment, run: () => Given<void>): void {
    const served = this.#served;
    this.#returnsOf(attachment).run(() => (served.reservation.isHeldByCaller ? run() : served.locked(run)));
  }

  #returnsOf(attachment: ExporterAttachment): Sequence {
    let returns = this.#returns.get(attachment);
    if (returns === undefined) this.#returns.set(attachment, (returns = this.#served.sequence()));
    return returns;
  }
}
