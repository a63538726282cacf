/** Microseconds on a clock that all threads of the machine share (CLOCK_MONOTONIC). */
export function nowMicroseconds(): number {
  return Number(process.hrtime.bigint()) / 1000;
}

/** Microseconds that half of the hand-offs, and 99 of a hundred, did not exceed. */
export interface Percentiles {
  readonly p50: number;
  readonly p99: number;
}

/** @returns `undefined` when nothing was measured. */
export function percentiles(samples: readonly number[]): Percentiles | undefined {
  if (samples.length === 0) return undefined;
  const sorted = Float64Array.from(samples).sort();
  const at = (share: number): number =>
    sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] as number;
  return { p50: at(0.5), p99: at(0.99) };
}
