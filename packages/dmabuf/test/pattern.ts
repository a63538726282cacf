import assert from "node:assert/strict";

/**
 * What is in a buffer: its writer, a version, words that follow from the version, and their sum. An agent that sees
 * anything else has seen a half-written buffer.
 */
const MARK = { WRITER: 0, VERSION: 1, FIRST: 2 } as const;

/**
 * Writes the whole buffer anew.
 *
 * @param writer Is in the buffer while it is half-written. Never 0.
 * @param between Called in the middle.
 */
export function writePattern(bytes: Uint8Array, version: number, writer: number, between: () => void): void {
  const words = wordsOf(bytes);
  words[MARK.WRITER] = writer;
  words[MARK.VERSION] = version;
  const last = words.length - 1;
  let sum = 0;
  for (let i = MARK.FIRST; i < last; i++) {
    if (i === last >> 1) between();
    words[i] = wordAt(version, i);
    sum = (sum + words[i]!) | 0;
  }
  between();
  words[last] = sum;
  words[MARK.WRITER] = 0;
}

/**
 * Checks the whole buffer.
 *
 * @param between Called in the middle.
 * @param mayBeTorn Says whether the writer whose mark is in the buffer is dead, so that it may be half-written.
 * @returns The version, or `undefined` if a dead writer has left the buffer half-written.
 */
export function checkPattern(
  bytes: Uint8Array,
  between: () => void,
  mayBeTorn: (writer: number) => boolean,
): number | undefined {
  const words = wordsOf(bytes);
  const writer = words[MARK.WRITER]!;
  if (writer !== 0) {
    assert.ok(mayBeTorn(writer), `a buffer was seen while agent ${writer}, which is alive, was writing it`);
    return undefined;
  }
  const version = words[MARK.VERSION]!;
  const last = words.length - 1;
  let sum = 0;
  for (let i = MARK.FIRST; i < last; i++) {
    if (i === last >> 1) between();
    if (words[i] !== wordAt(version, i)) assert.fail(`word ${i} of version ${version} is ${words[i]}`);
    sum = (sum + words[i]!) | 0;
  }
  assert.equal(words[last], sum, `the checksum of version ${version}`);
  assert.deepEqual([words[MARK.WRITER], words[MARK.VERSION]], [0, version], "a writer came while the buffer was read");
  return version;
}

function wordAt(version: number, i: number): number {
  return (Math.imul(version, 0x9e3779b1) + Math.imul(i, 0x85ebca6b)) | 0;
}

function wordsOf(bytes: Uint8Array): Int32Array {
  return new Int32Array(bytes.buffer, bytes.byteOffset, bytes.length >> 2);
}
