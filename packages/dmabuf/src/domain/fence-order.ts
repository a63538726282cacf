/** A fence's place among the fences of its context. */
export interface FencePosition {
  readonly context: number;
  readonly seqno: number;
  /** Whether the context counts in 32 bits, as older hardware does: its numbers wrap. */
  readonly seqno32: boolean;
}

/**
 * Whether a fence comes after another one of its context. Whatever orders fences asks here, or, by their words,
 * protocol/assembly/fence-order.ts: how a context counts is known nowhere else, and the linter refuses to compare a fence's
 * number by hand.
 *
 * Fences of two contexts have no order. Numbers of 32 bits are ordered by the sign of their difference; of two that are
 * exactly 2^31 apart, none is later.
 *
 * @see linux/include/linux/dma-fence.h, `__dma_fence_is_later`
 */
export function isLaterFence(one: FencePosition, other: FencePosition): boolean {
  if (one.context !== other.context) return false;
  // eslint-disable-next-line no-restricted-syntax -- this is the place
  if (one.seqno32 || other.seqno32) return ((one.seqno - other.seqno) | 0) > 0;
  // eslint-disable-next-line no-restricted-syntax -- this is the place
  return one.seqno > other.seqno;
}
