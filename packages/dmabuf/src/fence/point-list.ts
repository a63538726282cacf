import { isKeySignaled } from "../domain/fence-slot.js";
import { POINT, POINT_FENCE as FENCE, POINTS, SYNCOBJ_FENCES, type Segment } from "../domain/layout.js";
import { loadNumber, loadTime, storeNumber, storeTime } from "../domain/record.js";
import type { FenceKey } from "../domain/timeline-slot.js";

/** What several agents have in common of a syncobj: its fence, as a list in shared words. */

/** A fence that was never pending. */
export interface Stub {
  /** When it is to have signaled, in nanoseconds. */
  readonly timestamp: number;
}

/** A plain fence, or an array of several. */
export interface PointFences {
  /** At least one. */
  readonly fences: readonly (FenceKey | Stub)[];
  /** Whether an array signals with any of them. */
  readonly any: boolean;
}

/** A link of a chain; or, as the first or only element, a fence that is no link. */
export interface PointElement extends PointFences {
  readonly link?: PointLink | undefined;
}

export interface PointLink {
  readonly seqno: number;
  /** The number of the link before, even if that is no longer there; 0 if this one begins a context. */
  readonly previousSeqno: number;
  readonly context: number;
}

export function isStub(fence: FenceKey | Stub): fence is Stub {
  return "timestamp" in fence;
}

/** How many places some elements need. */
export function countFences(elements: readonly PointElement[]): number {
  return elements.reduce((sum, { fences }) => sum + fences.length, 0);
}

/** The list with one more link, by the rules of a fence chain (fence-chain.2, fence-chain.3): what has signaled below is left out. */
export function withPoint(
  segment: Segment,
  elements: readonly PointElement[],
  seqno: number,
  fences: PointFences,
  newContext: () => number,
): PointElement[] {
  const link = linkAfter(elements.at(-1)?.link, seqno, newContext);
  return [...elements.filter((element) => isPending(segment, element)), { ...fences, link }];
}

/**
 * The place of a link that is added on top of another: a higher number continues the context, any other begins a new one
 * with a number that is not lower.
 *
 * @param newContext Gives the fence context of a link that begins one.
 */
export function linkAfter(head: PointLink | undefined, seqno: number, newContext: () => number): PointLink {
  // eslint-disable-next-line no-restricted-syntax -- a point is compared, not the number of a fence
  if (head !== undefined && seqno > head.seqno) {
    return { seqno, previousSeqno: head.seqno, context: head.context };
  }
  return { seqno: Math.max(head?.seqno ?? 0, seqno), previousSeqno: 0, context: newContext() };
}

/** Writes one copy of a list. There is room for `SYNCOBJ_FENCES` fences. */
export function writePoints({ memory, layout }: Segment, copy: number, elements: readonly PointElement[]): void {
  memory.store(copy + POINTS.COUNT, countFences(elements));
  let word = copy + layout.POINTS.FENCES;
  for (const { fences, any, link } of elements) {
    const isAny = FENCE.any.of(any ? 1 : 0);
    for (const [i, fence] of fences.entries()) {
      const flags = isAny | FENCE.link.of(link ? 1 : 0) | FENCE.joins.of(i === 0 ? 0 : 1);
      if (isStub(fence)) {
        memory.store(word + POINT.FENCE, flags | FENCE.stub.mask);
        storeTime(memory, word + POINT.SEQUENCE, fence.timestamp);
      } else {
        memory.store(word + POINT.FENCE, flags | FENCE.slot.of(fence.slot));
        memory.store(word + POINT.GENERATION, fence.generation);
        storeNumber(memory, word + POINT.SEQUENCE, fence.sequence);
      }
      if (link !== undefined && i === 0) {
        storeNumber(memory, word + POINT.SEQNO, link.seqno);
        storeNumber(memory, word + POINT.PREVIOUS, link.previousSeqno);
        storeNumber(memory, word + POINT.CONTEXT, link.context);
      }
      word += POINT.WORDS;
    }
  }
}

/**
 * Reads one copy. If it is being rewritten, it may hold anything, and what is returned names no slot beyond the table, and no
 * number beyond those that are exact.
 */
export function readPoints({ memory, layout }: Segment, copy: number): PointElement[] {
  const count = Math.min(memory.load(copy + POINTS.COUNT) >>> 0, SYNCOBJ_FENCES);
  const elements: { fences: (FenceKey | Stub)[]; any: boolean; link: PointLink | undefined }[] = [];
  for (let i = 0, word = copy + layout.POINTS.FENCES; i < count; i++, word += POINT.WORDS) {
    const packed = memory.load(word + POINT.FENCE);
    const fence =
      FENCE.stub.in(packed) === 1
        ? { timestamp: loadTime(memory, word + POINT.SEQUENCE) }
        : {
            slot: Math.min(FENCE.slot.in(packed), layout.fenceSlots - 1),
            generation: memory.load(word + POINT.GENERATION),
            sequence: loadNumber(memory, word + POINT.SEQUENCE),
          };
    const last = elements.at(-1);
    if (FENCE.joins.in(packed) === 1 && last !== undefined) {
      last.fences.push(fence);
      continue;
    }
    const link =
      FENCE.link.in(packed) === 0
        ? undefined
        : {
            seqno: loadNumber(memory, word + POINT.SEQNO),
            previousSeqno: loadNumber(memory, word + POINT.PREVIOUS),
            context: loadNumber(memory, word + POINT.CONTEXT),
          };
    elements.push({ fences: [fence], any: FENCE.any.in(packed) === 1, link });
  }
  return elements;
}

function isPending(segment: Segment, { fences, any }: PointFences): boolean {
  const pending = (fence: FenceKey | Stub): boolean => !isStub(fence) && !isKeySignaled(segment, fence);
  return any ? fences.every(pending) : fences.some(pending);
}
