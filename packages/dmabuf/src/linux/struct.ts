import { encodeInto } from "../domain/text.js";

/**
 * Structures as the kernel lays them out: little-endian, each field aligned to its own size, the whole to its largest.
 *
 * The kernel's interfaces are the same on all 64-bit processors; the system calls refuse every other kind.
 */

/**
 * `text` is NUL-terminated UTF-8, cut after the last whole character that fits; `bytes` is raw, aligned to `align`
 * (default 1).
 */
export type Field =
  | "u8"
  | "u16"
  | "u32"
  | "s32"
  | "u64"
  | "s64"
  | { readonly text: number }
  | { readonly bytes: number; readonly align?: 1 | 2 | 4 | 8 };

export type Fields = Readonly<Record<string, Field>>;

/** What is in a field: 64 bits are a bigint. */
type Value<F extends Field> = F extends "u64" | "s64"
  ? bigint
  : F extends { readonly text: number }
    ? string
    : F extends { readonly bytes: number }
      ? Uint8Array
      : number;

export type Values<F extends Fields> = { [K in keyof F]: Value<F[K]> };

/** Absent fields are 0; 64 bits may be given as a number. */
export type Given<F extends Fields> = { [K in keyof F]?: Value<F[K]> | (F[K] extends "u64" | "s64" ? number : never) };

const WIDTHS = { u8: 1, u16: 2, u32: 4, s32: 4, u64: 8, s64: 8 } as const;

export class Struct<F extends Fields> {
  /** Bytes. */
  readonly size: number;
  readonly #fields: readonly { readonly name: string; readonly field: Field; readonly offset: number }[];

  constructor(fields: F) {
    let end = 0;
    let widest = 1;
    this.#fields = Object.entries(fields).map(([name, field]) => {
      const { width, align } = extent(field);
      const offset = Math.ceil(end / align) * align;
      end = offset + width;
      widest = Math.max(widest, align);
      return { name, field, offset };
    });
    this.size = Math.ceil(end / widest) * widest;
  }

  /** Bytes from the start of the structure. */
  offsetOf(name: keyof F & string): number {
    return this.#fields.find((field) => field.name === name)!.offset;
  }

  /** Memory of its own that does not move, with these values. */
  pack(values: Given<F> = {}): Uint8Array<ArrayBuffer> {
    const bytes = new Uint8Array(new ArrayBuffer(this.size));
    this.write(bytes, values);
    return bytes;
  }

  /** Writes the values that are given, and leaves the others as they are. */
  write(bytes: Uint8Array, values: Given<F>, start = 0): void {
    const view = new DataView(bytes.buffer, bytes.byteOffset + start, this.size);
    for (const { name, field, offset } of this.#fields) {
      const value = values[name];
      if (value !== undefined) writeField(view, offset, field, value);
    }
  }

  unpack(bytes: Uint8Array, start = 0): Values<F> {
    const view = new DataView(bytes.buffer, bytes.byteOffset + start, this.size);
    const values = this.#fields.map(({ name, field, offset }) => [name, readField(view, offset, field)]);
    return Object.fromEntries(values) as Values<F>;
  }
}

/** Several structures of one kind, one after the other. */
export function packAll<F extends Fields>(struct: Struct<F>, all: readonly Given<F>[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(new ArrayBuffer(struct.size * all.length));
  all.forEach((values, index) => struct.write(bytes, values, index * struct.size));
  return bytes;
}

export function unpackAll<F extends Fields>(struct: Struct<F>, bytes: Uint8Array, count: number): Values<F>[] {
  return Array.from({ length: count }, (_, index) => struct.unpack(bytes, index * struct.size));
}

function extent(field: Field): { width: number; align: number } {
  if (typeof field === "string") return { width: WIDTHS[field], align: WIDTHS[field] };
  if ("text" in field) return { width: field.text, align: 1 };
  return { width: field.bytes, align: field.align ?? 1 };
}

function writeField(view: DataView, offset: number, field: Field, value: unknown): void {
  if (typeof field === "object") {
    const length = "text" in field ? field.text : field.bytes;
    const target = new Uint8Array(view.buffer, view.byteOffset + offset, length);
    if (!("text" in field)) target.set((value as Uint8Array).subarray(0, length));
    else encodeInto(value as string, target.fill(0).subarray(0, length - 1));
  } else if (field === "u64") view.setBigUint64(offset, BigInt(value as number), true);
  else if (field === "s64") view.setBigInt64(offset, BigInt(value as number), true);
  else if (field === "u32") view.setUint32(offset, value as number, true);
  else if (field === "s32") view.setInt32(offset, value as number, true);
  else if (field === "u16") view.setUint16(offset, value as number, true);
  else view.setUint8(offset, value as number);
}

function readField(view: DataView, offset: number, field: Field): unknown {
  if (typeof field === "object") {
    const length = "text" in field ? field.text : field.bytes;
    const source = new Uint8Array(view.buffer, view.byteOffset + offset, length);
    if (!("text" in field)) return source.slice();
    const end = source.indexOf(0);
    return new TextDecoder().decode(source.subarray(0, end < 0 ? length : end));
  }
  if (field === "u64") return view.getBigUint64(offset, true);
  if (field === "s64") return view.getBigInt64(offset, true);
  if (field === "u32") return view.getUint32(offset, true);
  if (field === "s32") return view.getInt32(offset, true);
  if (field === "u16") return view.getUint16(offset, true);
  return view.getUint8(offset);
}
