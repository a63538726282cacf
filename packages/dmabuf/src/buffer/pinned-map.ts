import { isLater, promised, runEnd, type Reporter } from "../domain/promised.js";
import type { AccessMode } from "../reservation/usage.js";
import { andThen, done, type Given } from "./call.js";
import { EXPORTER, type ExporterAttachment, type ExporterOps } from "./exporter.js";
import type { StorageSegment } from "./storage.js";

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
