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

/** `29.9/s`; nothing where it is not known yet. */
export function rateText(rate: number | undefined): string {
  if (rate === undefined) return "";
  return `${rate >= 100 || rate === 0 ? rate.toFixed(0) : rate.toFixed(1)}/s`;
}

/** Nanoseconds as `850 ms`, `12.3 s`, `4 min`. */
export function durationText(nanoseconds: number): string {
  const seconds = Math.max(0, nanoseconds) / 1e9;
  if (seconds < 1) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 100) return `${seconds.toFixed(1)} s`;
  return `${Math.round(seconds / 60)} min`;
}

const SHORT = [
  { unit: "s", length: 1e9 },
  { unit: "ms", length: 1e6 },
  { unit: "µs", length: 1e3 },
] as const;

/** Nanoseconds with three digits: `850 µs`, `1.25 ms`, `0 µs`. */
export function shortDuration(nanoseconds: number): string {
  const { unit, length } = SHORT.find((each) => nanoseconds >= each.length) ?? SHORT[2];
  return `${Number((nanoseconds / length).toPrecision(3))} ${unit}`;
}

/** `5 agents`, `1 agent`. */
export function count(number: number, one: string, several = `${one}s`): string {
  return `${number.toLocaleString("en")} ${number === 1 ? one : several}`;
}
