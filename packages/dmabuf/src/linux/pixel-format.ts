/** Pixel formats as the kernel numbers them: four characters in 32 bits, the first one lowest. */

export function fourCharacters(code: number): string {
  return String.fromCharCode(...[0, 8, 16, 24].map((shift) => (code >>> shift) & 0x7f)).trimEnd();
}

export function fromCharacters(text: string): number {
  const padded = text.padEnd(4);
  return [0, 1, 2, 3].reduce((code, i) => (code | (padded.charCodeAt(i) << (8 * i))) >>> 0, 0);
}
