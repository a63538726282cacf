import type { Waiter } from "../domain/pend.js";
import { isLater, promised } from "../domain/promised.js";
import { DmaBufError, textOf } from "../errors.js";
import type { AccessMode } from "../reservation/usage.js";
import { andThen, done, LocalCall, type Call, type Given } from "./call.js";
import type { ExporterAttachment, ExporterOps } from "./exporter.js";
import type { ExporterLink, Table } from "./exporter-link.js";
import type { StorageSegment } from "./storage.js";

/** The way to an exporter of this same agent. */
export class LocalExporter implements ExporterLink {
  readonly unmapsLocked = true;
  readonly asksToBegin = false;
  readonly #ops: ExporterOps;
  readonly #begin: (mode: AccessMode) => Given<void>;
  readonly #waiter: Waiter;

  /** @param begin Runs the exporter's `beginCpuAccess`, after all ends that other agents have told of. */
  constructor(ops: ExporterOps, begin: (mode: AccessMode) => Given<void>, waiter: Waiter) {
    this.#ops = ops;
    this.#begin = begin;
    this.#waiter = waiter;
  }

  attach(attachment: ExporterAttachment): Call<void> | undefined {
    if (this.#ops.attach === undefined) return undefined;
    return new LocalCall(done(this.#ops.attach(attachment)), () => this.detach(attachment), this.#waiter);
  }

  detach(attachment: ExporterAttachment): void {
    this.#given(done(this.#ops.detach?.(attachment)));
  }

  map(attachment: ExporterAttachment, mode: AccessMode): Call<Table> {
    const table = andThen(mapPinned(this.#ops, attachment, mode), (segments) => ({ segments, number: 0 }));
    return new LocalCall(table, (late) => this.unmap(attachment, late));
  }

  unmap(attachment: ExporterAttachment, table: Table): void {
    this.#given(unmapPinned(this.#ops, attachment, table.segments));
  }

  pin(attachment: ExporterAttachment): Call<void> | undefined {
    if (this.#ops.pin === undefined) return undefined;
    return new LocalCall(done(this.#ops.pin(attachment)), () => this.unpin(attachment));
  }

  unpin(attachment: ExporterAttachment): void {
    this.#given(done(this.#ops.unpin?.(attachment)));
  }

  begin(mode: AccessMode): Call<void> | undefined {
    if (this.#ops.beginCpuAccess === undefined && this.#ops.endCpuAccess === undefined) return undefined;
    return new LocalCall(this.#begin(mode), () => this.end(mode), this.#waiter);
  }

  end(mode: AccessMode): void {
    this.#given(done(this.#ops.endCpuAccess?.(mode)));
  }

  mmap(): Call<void> | undefined {
    if (this.#ops.mmap !== undefined) return new LocalCall(done(this.#ops.mmap()), undefined, this.#waiter);
    throw new DmaBufError("EINVAL", 'Cannot map the buffer: its exporter has no operation "mmap"');
  }

  /** Nobody waits for what is given back, so nobody else would hear of its failure. */
  #given(answer: Given<void>): void {
    if (isLater(answer))
      answer.then(undefined, (error) => this.#waiter.host.warn(`An exporter failed: ${textOf(error)}`));
  }
}

/** The storage for an importer: pinned first if the importer cannot follow a move. */
export function mapPinned(
  ops: ExporterOps,
  attachment: ExporterAttachment,
  mode: AccessMode,
): Given<readonly StorageSegment[]> {
  if (attachment.isDynamic || ops.pin === undefined) return promised(ops.map(attachment, mode));
  const unpin = (error: unknown): Given<never> =>
    andThen(done(ops.unpin!(attachment)), () => Promise.reject(error as Error));
  return andThen(done(ops.pin(attachment)), () => {
    let segments: Given<readonly StorageSegment[]>;
    try {
      segments = promised(ops.map(attachment, mode));
    } catch (error) {
      const unpinned = done(ops.unpin!(attachment));
      if (!isLater(unpinned)) throw error;
      return unpinned.then(() => Promise.reject(error as Error));
    }
    return isLater(segments) ? segments.then(undefined, unpin) : segments;
  });
}

/** The end that belongs to {@link mapPinned}. */
export function unmapPinned(
  ops: ExporterOps,
  attachment: ExporterAttachment,
  segments: readonly StorageSegment[],
): Given<void> {
  return andThen(done(ops.unmap(attachment, segments)), () =>
    attachment.isDynamic ? undefined : done(ops.unpin?.(attachment)),
  );
}
