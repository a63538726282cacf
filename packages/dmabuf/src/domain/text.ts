import type { Substrate } from "../substrate/substrate.js";

/** A name in the control segment: 31 bytes of UTF-8 and a terminator, as in the kernel. */
export const NAME_WORDS = 8;
const NAME_BYTES = NAME_WORDS * 4 - 1;

/**
 * Writes a name, cut after the last whole character that fits in 31 bytes. Names are written into slots that have just
 * been taken, where nothing may fail: one that is no text is empty.
 */
export function writeName(memory: Substrate, word: number, name: string): void {
  const words = nameWords(typeof name === "string" ? name : "", 0);
  for (let i = 0; i < NAME_WORDS; i++) memory.store(word + i, words[i]!);
}

/** A name as {@link writeName} writes it. @param filler The bytes behind the terminator. */
export function nameWords(name: string, filler: number): Int32Array {
  const words = new Int32Array(NAME_WORDS);
  const bytes = new Uint8Array(words.buffer);
  bytes.fill(filler, encodeInto(name, bytes.subarray(0, NAME_BYTES)) + 1);
  return words;
}

export function readName(memory: Substrate, word: number): string {
  const words = new Int32Array(NAME_WORDS);
  for (let i = 0; i < NAME_WORDS; i++) words[i] = memory.load(word + i);
  const bytes = new Uint8Array(words.buffer);
  const end = bytes.indexOf(0);
  return decode(bytes.subarray(0, end < 0 ? NAME_BYTES : end));
}

/** A name as it would be read again, cut after the last whole character that fits in 31 bytes of UTF-8. */
export function cutName(name: string): string {
  const bytes = new Uint8Array(NAME_BYTES);
  return decode(bytes.subarray(0, encodeInto(name, bytes)));
}

/** Writes a text and a terminator into so many words, cut after the last whole character that fits: as many words as it has. */
export function writeText(memory: Substrate, word: number, count: number, text: string): void {
  const words = new Int32Array(count);
  const length = encodeInto(text, new Uint8Array(words.buffer, 0, count * 4 - 1));
  for (let i = 0; i <= length / 4; i++) memory.store(word + i, words[i]!);
}

/** A text as {@link writeText} writes it: nothing is read behind its end. */
export function readText(memory: Substrate, word: number, count: number): string {
  const words = new Int32Array(count);
  const bytes = new Uint8Array(words.buffer);
  for (let i = 0; i < count; i++) {
    words[i] = memory.load(word + i);
    const end = bytes.subarray(0, 4 * i + 4).indexOf(0, 4 * i);
    if (end >= 0) return decode(bytes.subarray(0, end));
  }
  return decode(bytes);
}

/** Writes as many whole characters of UTF-8 as fit, half a pair as U+FFFD; returns the number of bytes written. */
export function encodeInto(text: string, target: Uint8Array): number {
  let length = 0;
  for (const character of text) {
    const code = character.codePointAt(0)!;
    const bytes = encodeCharacter(isHalfPair(code) ? 0xfffd : code);
    if (length + bytes.length > target.length) break;
    target.set(bytes, length);
    length += bytes.length;
  }
  return length;
}

/** How many bytes come after a first one with so many leading ones. */
const MORE = [0, -1, 1, 2, 3];

/** The lowest character that is written with so many bytes after the first. */
const LEAST = [0, 0x80, 0x800, 0x10000];

/** Reads UTF-8; what is not valid UTF-8 becomes U+FFFD. */
export function decode(bytes: Uint8Array): string {
  let text = "";
  for (let i = 0; i < bytes.length;) {
    const first = bytes[i++]!;
    const more = MORE[Math.clz32(~first << 24)] ?? -1;
    let code = more < 1 ? first : first & (0x3f >> more);
    let missing = more;
    for (; missing > 0 && i < bytes.length && (bytes[i]! & 0xc0) === 0x80; missing--) {
      code = (code << 6) | (bytes[i++]! & 0x3f);
    }
    const valid = missing === 0 && code >= LEAST[more]! && code <= 0x10ffff && !isHalfPair(code);
    text += valid ? String.fromCodePoint(code) : "\ufffd";
  }
  return text;
}

function encodeCharacter(code: number): number[] {
  if (code < 0x80) return [code];
  if (code < 0x800) return [0xc0 | (code >> 6), 0x80 | (code & 0x3f)];
  if (code < 0x10000) return [0xe0 | (code >> 12), 0x80 | ((code >> 6) & 0x3f), 0x80 | (code & 0x3f)];
  return [0xf0 | (code >> 18), 0x80 | ((code >> 12) & 0x3f), 0x80 | ((code >> 6) & 0x3f), 0x80 | (code & 0x3f)];
}

/** Whether a code is a half of a surrogate pair, which is no character. */
function isHalfPair(code: number): boolean {
  return code >= 0xd800 && code <= 0xdfff;
}
