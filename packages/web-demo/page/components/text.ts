/** Numbers for people. */

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB"];

/** `3.1 MiB`. */
export function bytesText(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024;
    unit++;
  }
  const digits = unit === 0 || value >= 100 ? 0 : 1;
  return `${value.toFixed(digits)} ${UNITS[unit]}`;
}

/** `29.9`. */
export function rateText(rate: number): string {
  return rate >= 100 ? rate.toFixed(0) : rate.toFixed(1);
}

/** Milliseconds: `0.35 ms`, `14 ms`, `1.2 s`. */
export function msText(ms: number): string {
  if (ms >= 1000) return `${(ms / 1000).toFixed(1)} s`;
  return `${ms >= 10 ? ms.toFixed(0) : ms.toFixed(ms >= 1 ? 1 : 2)} ms`;
}

/** `2 frames`, `1 frame`, `no frame`. */
export function framesText(count: number): string {
  if (count === 0) return "no frame";
  return count === 1 ? "1 frame" : `${count} frames`;
}
