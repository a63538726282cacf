import { styleText } from "node:util";

/** Numbers and names as people read them. */

export type Style = "red" | "green" | "yellow" | "cyan" | "dim" | "bold" | "inverse";

/** Colours where standard output is a terminal; `NO_COLOR` and `FORCE_COLOR` are respected. */
export function paint(style: Style, text: string): string {
  return styleText(style, text, { stream: process.stdout });
}

/** Bytes as text. */
export function sizeText(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`;
  const power = Math.min(Math.floor(Math.log2(bytes) / 10), UNITS.length);
  const value = bytes / 1024 ** power;
  return `${value < 10 ? value.toFixed(1) : Math.round(value)} ${UNITS[power - 1]}`;
}

const UNITS = ["KiB", "MiB", "GiB", "TiB"];

/** Nanoseconds as text. */
export function durationText(nanoseconds: number): string {
  const ns = Math.max(0, nanoseconds);
  if (ns < 1e6) return `${Math.round(ns / 1e3)} µs`;
  if (ns < 1e9) return `${short(ns / 1e6)} ms`;
  if (ns < 600e9) return `${short(ns / 1e9)} s`;
  return ns < 36_000e9 ? `${short(ns / 60e9)} min` : `${short(ns / 3_600e9)} h`;
}

/** How often a second. */
export function rateText(perSecond: number | undefined): string {
  return perSecond === undefined ? "-" : `${short(perSecond)}/s`;
}

function short(value: number): string {
  return value < 10 ? value.toFixed(1) : String(Math.round(value));
}

/** A count and its noun. */
export function counted(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`;
}

/**
 * A text without what a terminal would obey: names come from other programs.
 */
export function printable(text: string): string {
  return text.replace(/\p{C}/gu, "\u{fffd}");
}

/** The same for several lines. */
export function printableLines(text: string): string {
  return text.split("\n").map(printable).join("\n");
}

/** The name of a thing, or what stands for none. */
export function nameText(name: string): string {
  return name === "" ? "-" : printable(name);
}
