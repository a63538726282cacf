import { crc32 } from "node:zlib";
import { audioFormat, imageFormat, rawFormat, tensorFormat, type FrameFormat } from "dmabuf";

import { same } from "./same.js";
import type { Scene } from "./scene.js";
import { publish, sameFormat, sameFrame, show } from "./stage.js";

const PIXELS = ["RGBA", "BGRA", "RGBX", "BGRX", "RGB24", "BGR24", "GREY", "GRAY16"] as const;
const YUV = ["YUYV", "UYVY", "NV12", "P010", "I420", "I444"] as const;
const ELEMENTS = ["int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"] as const;
const OTHERS = ["float16", "bfloat16", "float32", "float64", "bool"] as const;
const SAMPLES = ["uint8", "int16", "int32", "float32", "float64"] as const;

/** Formats of each kind, by its name. */
export const FORMATS: readonly (readonly [string, readonly FrameFormat[]])[] = [
  [
    "images",
    [
      ...[...PIXELS, ...YUV].map((pixelFormat) => imageFormat(pixelFormat, 15, 7)),
      imageFormat("NV12", 33, 5, { strideAlignment: 64 }),
    ],
  ],
  ["tensors", [...[...ELEMENTS, ...OTHERS].map((type) => tensorFormat([2, 3, 5], type)), tensorFormat([7], "float32")]],
  [
    "audio",
    SAMPLES.flatMap((type) =>
      (["interleaved", "planar"] as const).map((layout) =>
        audioFormat({ channels: 3, rate: 44_100, samples: 16, type, layout }),
      ),
    ),
  ],
  ["raw bytes", [rawFormat(1), rawFormat(100_001)]],
];

/** Whether the client reads these formats, and the planes of their frames. */
export async function readFormats(scene: Scene, formats: readonly FrameFormat[]): Promise<void> {
  for (const format of formats) {
    const { stream, where, server } = show(scene, { format });
    const answer = await scene.client.ask({ do: "view", where });
    sameFormat(answer.format, format);
    const wanted = await publish(scene, stream, { seed: 77 });
    sameFrame(await scene.client.next(), { ...wanted, sequence: 0 });
    const all = new Uint8Array(format.size).map((_, i) => 77 + i + (i >> 8));
    for (const [plane, { offset, stride, height }] of format.planes.entries()) {
      const { crc } = await scene.client.ask({ do: "look", plane });
      const bytes = all.subarray(offset, offset + stride * height);
      same(`the checksum of plane ${plane} of ${JSON.stringify(format)}`, crc, crc32(bytes));
    }
    await scene.client.ask({ do: "done" });
    await scene.client.ask({ do: "close" });
    server.close();
  }
}
