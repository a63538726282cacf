import { imageFormat, rawFormat, tensorFormat, audioFormat, type FrameFormat } from "dmabuf";
import type { RawServer, Sent } from "./raw-server.js";

/** The bytes of metadata that each frame has, before its data. */
const METADATA = 144;
const DATA = 256;

export const RAW: FrameFormat = rawFormat(100);

export interface Greeting {
  readonly [name: string]: unknown;
  readonly format: FrameFormat;
  readonly buffers: number;
  readonly bytes: number;
}

/** Where a frame's metadata are: behind its bytes, at a multiple of 8. */
export function metadataAt(format: FrameFormat): number {
  return Math.ceil(format.size / 8) * 8;
}

export function greeting(format: FrameFormat = RAW, buffers = 2): Greeting {
  const bytes = metadataAt(format) + METADATA + DATA;
  return { visitor: 1, name: "camera", format, buffers, bytes, policy: "newest" };
}

export function contributorGreeting(format: FrameFormat = RAW): Greeting {
  const { visitor, name, bytes } = greeting(format);
  return { visitor, name, format, bytes, dataBytes: DATA } as unknown as Greeting;
}

/** A memory file for each place, to be read. */
export async function places(
  server: RawServer,
  { buffers, bytes }: Greeting,
  less = 0,
): Promise<{ readonly file: number }[]> {
  const files = [];
  for (let i = 0; i < buffers; i++) files.push({ file: await server.memory(bytes - less) });
  return files;
}

export interface Written {
  readonly sequence?: number;
  readonly timestamp?: number;
  readonly publishedAt?: number;
  /** What is written as the length of the text; default: its own. */
  readonly textLength?: number;
  readonly text?: string;
  readonly length?: number;
  /** The numbers of a picture. */
  readonly picture?: readonly number[];
}

/** The metadata of a frame, as docs/protocol.md has them. */
export function metadata(written: Written): Uint8Array {
  const { sequence = 0, timestamp = 1, publishedAt = 2, text = "", length, picture } = written;
  const encoded = Buffer.from(text);
  const area = new Uint8Array(METADATA + encoded.length);
  const view = new DataView(area.buffer);
  view.setFloat64(0, sequence, true);
  view.setFloat64(8, timestamp, true);
  view.setFloat64(16, publishedAt, true);
  const short = length === undefined ? 0 : 2 ** 31;
  const pictured = picture === undefined ? 0 : 2 ** 30;
  view.setUint32(24, (written.textLength ?? encoded.length) + short + pictured, true);
  view.setFloat64(32, length ?? 0, true);
  picture?.forEach((number, i) => view.setFloat64(40 + 8 * i, number, true));
  area.set(encoded, METADATA);
  return area;
}

/** Changes of a right format that damage it. */
type Damage = readonly [format: FrameFormat, change: object];

const IMAGE = imageFormat("NV12", 16, 8);
const TENSOR = tensorFormat([2, 3], "float32");
const AUDIO = audioFormat({ channels: 2, rate: 8000, samples: 16, layout: "planar" });
const plane = RAW.planes[0];

const WRONG_NUMBERS: readonly unknown[] = [0, -1, 1.5, 1e300, "100", null, true, [100], undefined];

const DAMAGES: readonly Damage[] = [
  ...WRONG_NUMBERS.map((size): Damage => [RAW, { size }]),
  ...["film", "", 1, null, undefined].map((kind): Damage => [RAW, { kind }]),
  ...[[], {}, null, "planes", [null], [1], [[]], undefined].map((planes): Damage => [RAW, { planes }]),
  [RAW, { planes: Array<object>(65).fill({ ...plane, stride: 1, width: 1 }) }],
  ...WRONG_NUMBERS.flatMap((number): Damage[] =>
    ["stride", "width", "height", "bytesPerSample"].map((field) => [RAW, { planes: [{ ...plane, [field]: number }] }]),
  ),
  ...[-1, 0.5, 1, 2 ** 53, "0", null].map((offset): Damage => [RAW, { planes: [{ ...plane, offset }] }]),
  [RAW, { planes: [{ ...plane, height: 2 }] }],
  [RAW, { planes: [{ ...plane, bytesPerSample: 2 }] }],
  [RAW, { planes: [{ ...plane, stride: 2 ** 40, height: 2 ** 40 }] }],
  ...["nv12", "", 12, undefined].map((pixelFormat): Damage => [IMAGE, { pixelFormat }]),
  ...WRONG_NUMBERS.map((width): Damage => [IMAGE, { width }]),
  ...WRONG_NUMBERS.map((height): Damage => [IMAGE, { height }]),
  ...["float31", "toString", 1, undefined].map((type): Damage => [TENSOR, { type }]),
  ...[[], [0], [2, 4], [-2, -3], [2, 1.5], "2,3", [2 ** 60, 2 ** 60], undefined].map((shape): Damage => [
    TENSOR,
    { shape },
  ]),
  ...WRONG_NUMBERS.map((channels): Damage => [AUDIO, { channels }]),
  ...WRONG_NUMBERS.map((rate): Damage => [AUDIO, { rate }]),
  ...[15, 17, 2 ** 33, ...WRONG_NUMBERS].map((samples): Damage => [AUDIO, { samples }]),
  ...["interleaved", "flat", 1].map((layout): Damage => [AUDIO, { layout }]),
  ...["int16", "bool", 1].map((type): Damage => [AUDIO, { type }]),
];

/** Formats that are damaged, each by one change. */
export function damagedFormats(): readonly unknown[] {
  const whole: readonly unknown[] = [undefined, null, 1, "raw", [], {}];
  return [...whole, ...DAMAGES.map(([format, change]) => ({ ...format, ...change }))];
}

/** A right greeting with one change in its own fields. */
export function damagedGreetings(): readonly object[] {
  const right = greeting();
  const numbers = [0, -1, 1.5, "2", null, undefined];
  return [
    ...[...numbers, 33, 1e300].map((buffers) => ({ ...right, buffers })),
    ...[...numbers, metadataAt(RAW), 1].map((bytes) => ({ ...right, bytes })),
    ...[1, null, {}, undefined].map((name) => ({ ...right, name })),
  ];
}

/** What is no greeting at all. */
export const NO_GREETINGS: readonly string[] = [
  "\n",
  "hello\n",
  "{}\n",
  "[]\n",
  "null\n",
  "1\n",
  '"greeting"\n',
  '{"visitor":1\n',
  '{"visitor":1}}\n',
  '{"visitor":1,}\n',
  "{'visitor':1}\n",
  `${JSON.stringify(greeting()).slice(0, -1)},"more":tru}\n`,
  `${JSON.stringify(greeting()).slice(0, -1)},"more":01}\n`,
  `${JSON.stringify(greeting()).slice(0, -1)},"more":"\\x"}\n`,
  `${JSON.stringify(greeting())} and more\n`,
  `${"[".repeat(60_000)}\n`,
  `${'{"a":'.repeat(12_000)}\n`,
  "\0\0\0\0\n",
];

/** A file of a wrong kind in the place of memory. */
export const NO_MEMORY: readonly Sent[] = ["/dev/zero", "pipe", "/proc/self/exe"];
