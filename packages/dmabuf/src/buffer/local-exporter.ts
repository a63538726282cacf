import type { Waiter } from "../domain/wait.js";
import { isLater, promised, runEnd, type Reporter } from "../domain/promised.js";
import { DmaBufError } from "../errors.js";
import type { AccessMode } from "../reservation/usage.js";
import { andThen, done, LocalCall, type Call, type Given } from "./call.js";
import { EXPORTER, type ExporterAttachment, type ExporterOps } from "./exporter.js";
import type { ExporterLink, Table } from "./exporter-link.js";
import type { Sequence, ServedExport } from "./served-export.js";
import type { StorageSegment } from "./storage.js";

/** The way to an exporter of this same agent. */
export class LocalExporter implements ExporterLink {
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

  attach(attachment: ExporterAttachment): Call<void> | undefined {
    if (this.#ops.attach === undefined) return undefined;
    return new LocalCall(done(this.#ops.attach(attachment)), () => this.detach(attachment), this.#waiter);
  }

  detach(attachment: ExporterAttachment): void {
    this.#returnsOf(attachment).run(() => done(this.#ops.detach?.(attachment)));
  }

  map(attachment: ExporterAttachment, mode: AccessMode): Call<Table> {
    const table = andThen(mapPinned(this.#ops, attachment, mode, this.#served), (segments) => ({
      segments,
      number: 0,
    }));
    return new LocalCall(table, (overdue) => this.unmap(attachment, overdue));
  }

  unmap(attachment: ExporterAttachment, table: Table): void {
    this.#giveBackLocked(attachment, () => unmapPinned(this.#ops, attachment, table.segments, this.#served));
  }

  pin(attachment: ExporterAttachment): Call<void> | undefined {
    if (this.#ops.pin === undefined) return undefined;
    return new LocalCall(done(this.#ops.pin(attachment)), () => this.unpin(attachment));
  }

  unpin(attachment: ExporterAttachment): void {
    this.#giveBackLocked(attachment, () => done(this.#ops.unpin?.(attachment)));
  }

  begin(mode: AccessMode): Call<void> | undefined {
    if (this.#ops.beginCpuAccess === undefined && this.#ops.endCpuAccess === undefined) return undefined;
    return new LocalCall(this.#begin(mode), () => this.end(mode), this.#waiter);
  }

  end(mode: AccessMode): void {
    void runEnd(this.#served, EXPORTER, () => this.#ops.endCpuAccess?.(mode));
  }

  mmap(): Call<void> | undefined {
    if (this.#ops.mmap !== undefined) return new LocalCall(done(this.#ops.mmap()), undefined, this.#waiter);
    throw new DmaBufError("EINVAL", 'Cannot map the buffer: its exporter has no operation "mmap"');
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

/** The storage for an importer: pinned first if the importer cannot follow a move. */
export function mapPinned(
  ops: ExporterOps,
  attachment: ExporterAttachment,
  mode: AccessMode,
  host: Reporter,
): Given<readonly StorageSegment[]> {
  if (attachment.isDynamic || ops.pin === undefined) return promised(ops.map(attachment, mode));
  const unpin = (error: unknown): Given<never> => {
    const rethrow = (): never => {
      throw error;
    };
    const unpinned = runEnd(host, EXPORTER, () => ops.unpin!(attachment));
    return isLater(unpinned) ? unpinned.then(rethrow) : rethrow();
  };
  return andThen(done(ops.pin(attachment)), () => {
    let segments: Given<readonly StorageSegment[]>;
    try {
      segments = promised(ops.map(attachment, mode));
    } catch (error) {
      return unpin(error);
    }
    return isLater(segments) ? segments.then(undefined, unpin) : segments;
  });
}

/** The end that belongs to {@link mapPinned}: what was pinned is unpinned, even if `unmap` fails. */
export function unmapPinned(
  ops: ExporterOps,
  attachment: ExporterAttachment,
  segments: readonly StorageSegment[],
  host: Reporter,
): Given<void> {
  const unpin = (): Given<void> => (attachment.isDynamic ? undefined : done(ops.unpin?.(attachment)));
  return andThen(
    runEnd(host, EXPORTER, () => ops.unmap(attachment, segments)),
    unpin,
  );
}
