import type { Steps } from "../domain/steps.js";
import type { AccessMode } from "../reservation/usage.js";
import type { ExporterAttachment } from "./exporter.js";
import type { CurrentStorage } from "./current-storage.js";
import type { Pages } from "./request-slot.js";
import type { StorageSegment } from "./storage.js";

/** What a `map` gave out, to be given back by `unmap`. */
export interface Table {
  readonly segments: readonly StorageSegment[];
  /** Tells the tables of this agent apart, where the exporter is in another. */
  readonly number: number;
}

/**
 * The way from a buffer to its exporter's code: none for plain data, a call in the exporter's own agent, and a request
 * from any other. What there is nothing to ask for gives `undefined`.
 *
 * exporter-link.1. What is given back (`unmap`, `unpin`, `detach`, `end`) waits for nothing and cannot fail: what the
 *     exporter throws is reported in its agent, and the lock is taken for `unmap` and `unpin` as soon as it can be had.
 *     Each importer's things are given back in order, and the exporter hears of an end before it is asked for any later
 *     begin.
 * exporter-link.2. `map` and `pin` are asked for with the reservation locked. Until it answers, an exporter in another
 *      agent has the lock.
 */
export interface ExporterLink {
  /** Whether an access begins and ends without it. */
  readonly isPlain: boolean;
  /** Whether `begin` asks another agent, so that it cannot have its answer at once. */
  readonly asksToBegin: boolean;
  attach(attachment: ExporterAttachment, timeout?: number): Steps<void> | undefined;
  detach(attachment: ExporterAttachment): void;
  /** Pins the storage first for an importer that is not dynamic. */
  map(attachment: ExporterAttachment, mode: AccessMode, timeout?: number): Steps<Table>;
  unmap(attachment: ExporterAttachment, table: Table): void;
  pin(attachment: ExporterAttachment, timeout?: number): Steps<void> | undefined;
  unpin(attachment: ExporterAttachment): void;
  begin(mode: AccessMode, timeout?: number): Steps<void> | undefined;
  end(mode: AccessMode): void;
  /** @throws {DmaBufError} `EINVAL` if the exporter offers no such mapping. */
  mmap(): Steps<void> | undefined;
}

/** The way to the exporter of a paged buffer, besides. */
export interface PageLink {
  /** Has pages filled. @param timeout For messages. */
  fault(pages: Pages, timeout?: number): Steps<void> | undefined;
  /** Has all pages filled, and kept until {@link unpinPages}. @param timeout For messages. */
  pinPages(timeout?: number): Steps<void> | undefined;
  unpinPages(): void;
}

/** The way to the exporter of plain data, which any agent uses without its help. */
export function plainLink(known: CurrentStorage): ExporterLink {
  return {
    isPlain: true,
    asksToBegin: false,
    attach: () => undefined,
    detach() {},
    *map(_attachment, _mode, timeout) {
      const { segments } = yield* known.arrival(timeout);
      return { segments: segments.map(({ memory, offset, length }) => ({ memory, offset, length })), number: 0 };
    },
    unmap() {},
    pin: () => undefined,
    unpin() {},
    begin: () => undefined,
    end() {},
    mmap: () => undefined,
  };
}
