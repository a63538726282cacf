/** A line of bytes: where they are, the bytes, and those that are letters. */
export interface HexLine {
  readonly offset: string;
  readonly bytes: string;
  readonly text: string;
}

const A_LINE = 8;

/** @param offset Where the bytes are in their buffer. */
export function hexLines(bytes: Uint8Array, offset: number): HexLine[] {
  const digits = Math.max(4, (offset + bytes.length).toString(16).length);
  return Array.from({ length: Math.ceil(bytes.length / A_LINE) }, (_, line) => {
    const part = Array.from(bytes.subarray(line * A_LINE, (line + 1) * A_LINE));
    return {
      offset: (offset + line * A_LINE).toString(16).padStart(digits, "0"),
      bytes: part.map((byte) => byte.toString(16).padStart(2, "0")).join(" "),
      text: part.map((byte) => (byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : "·")).join(""),
    };
  });
}
