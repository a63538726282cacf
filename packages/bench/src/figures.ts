/** What one run of one contestant showed, in nanoseconds for one operation. */
export interface Figures {
  /** The fastest sample. */
  readonly best: number;
  readonly p50: number;
  readonly p99: number;
  /** How many samples; each is the mean of as many operations as the measure says. */
  readonly samples: number;
}

/** The figures of the samples of one run. Sorts them. */
export function figuresOf(samples: Float64Array): Figures {
  samples.sort();
  return {
    best: samples[0]!,
    p50: samples[samples.length >> 1]!,
    p99: samples[Math.floor((samples.length * 99) / 100)]!,
    samples: samples.length,
  };
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[sorted.length >> 1]!;
}

/** A time for people, with its unit: whole nanoseconds, or three digits of what is longer. */
export function formatNs(ns: number): string {
  if (ns < 999.5) return `${ns.toFixed(ns < 9.95 ? 1 : 0)} ns`;
  if (ns < 999_500) return `${threeDigits(ns / 1e3)} µs`;
  return `${threeDigits(ns / 1e6)} ms`;
}

/** How many times something is: two digits or more, and a fraction where it is far below one. */
export function formatRatio(ratio: number): string {
  if (ratio < 0.095) return `1/${threeDigits(1 / ratio)}`;
  return ratio < 9.95 ? ratio.toFixed(2) : threeDigits(ratio);
}

/** Bytes as a power of 1,024 where they are one, and otherwise in full. */
export function formatBytes(bytes: number): string {
  for (const [unit, name] of UNITS) if (bytes >= unit && bytes % unit === 0) return `${bytes / unit} ${name}`;
  return `${bytes.toLocaleString("en")} bytes`;
}

const UNITS = [
  [2 ** 20, "MiB"],
  [2 ** 10, "KiB"],
] as const;

function threeDigits(value: number): string {
  if (value < 9.995) return value.toFixed(2);
  return value < 99.95 ? value.toFixed(1) : Math.round(value).toLocaleString("en");
}
