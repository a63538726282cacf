import { isKeySignaled } from "./fence-slot.js";
import { POINT, POINT_FLAG, SYNCOBJ_FENCES, type Segment } from "./layout.js";
import type { FenceKey } from "./timeline-slot.js";

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
 * Where a link stands that is added on top of another: a higher number continues the context, any other begins a new one
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
export function writePoints({ memory }: Segment, copy: number, elements: readonly PointElement[]): void {
  memory.store(copy, countFences(elements));
  let word = copy + 2;
  for (const { fences, any, link } of elements) {
    let flags = (any ? POINT_FLAG.ANY : 0) | (link ? POINT_FLAG.LINK : 0);
    for (const fence of fences) {
      if (isStub(fence)) {
        memory.store(word + POINT.SLOT, flags | POINT_FLAG.STUB);
        memory.store64(word + POINT.SEQUENCE, BigInt(Math.floor(fence.timestamp)));
      } else {
        memory.store(word + POINT.SLOT, (fence.slot << SLOT_SHIFT) | flags);
        memory.store(word + POINT.GENERATION, fence.generation);
        memory.store64(word + POINT.SEQUENCE, BigInt(fence.sequence));
      }
      if ((flags & (POINT_FLAG.LINK | POINT_FLAG.JOINS)) === POINT_FLAG.LINK) {
        memory.store64(word + POINT.SEQNO, BigInt(link!.seqno));
        memory.store64(word + POINT.PREVIOUS, BigInt(link!.previousSeqno));
        memory.store64(word + POINT.CONTEXT, BigInt(link!.context));
      }
      flags |= POINT_FLAG.JOINS;
      word += POINT.WORDS;
    }
  }
}

/**
 * Reads one copy. If it is being rewritten, anything may stand there, and what is returned names no slot beyond the table,
 * and no number beyond those that are exact.
 */
export function readPoints({ memory, layout }: Segment, copy: number): PointElement[] {
  const count = Math.min(memory.load(copy) >>> 0, SYNCOBJ_FENCES);
  const lastSlot = layout.sizes.timelines + layout.sizes.oneShots - 1;
  const numberAt = (word: number): number => Number(BigInt.asUintN(53, memory.load64(word)));
  const elements: { fences: (FenceKey | Stub)[]; any: boolean; link: PointLink | undefined }[] = [];
  for (let i = 0, word = copy + 2; i < count; i++, word += POINT.WORDS) {
    const tagged = memory.load(word + POINT.SLOT);
    const sequence = numberAt(word + POINT.SEQUENCE);
    const fence =
      (tagged & POINT_FLAG.STUB) !== 0
        ? { timestamp: sequence }
        : {
            slot: Math.min(tagged >>> SLOT_SHIFT, lastSlot),
            generation: memory.load(word + POINT.GENERATION),
            sequence,
          };
    const last = elements.at(-1);
    if ((tagged & POINT_FLAG.JOINS) !== 0 && last !== undefined) {
      last.fences.push(fence);
      continue;
    }
    const isLink = (tagged & POINT_FLAG.LINK) !== 0;
    const link = isLink
      ? {
          seqno: numberAt(word + POINT.SEQNO),
          previousSeqno: numberAt(word + POINT.PREVIOUS),
          context: numberAt(word + POINT.CONTEXT),
        }
      : undefined;
    elements.push({ fences: [fence], any: (tagged & POINT_FLAG.ANY) !== 0, link });
  }
  return elements;
}

const SLOT_SHIFT = 4;

function isPending(segment: Segment, { fences, any }: PointFences): boolean {
  const pending = (fence: FenceKey | Stub): boolean => !isStub(fence) && !isKeySignaled(segment, fence);
  return any ? fences.every(pending) : fences.some(pending);
}
