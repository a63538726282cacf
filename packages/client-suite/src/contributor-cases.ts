import { crc32 } from "node:zlib";
import { audioFormat, imageFormat, type DmaBufError, type Frame, type JsonValue, type Picture } from "dmabuf";
import type { Answer } from "./adapter.js";
import { FORMATS } from "./formats.js";
import { OtherServer } from "./other-server.js";
import { holds, same } from "./same.js";
import { numbered, type Case, type Scene } from "./scene.js";
import { FORMAT, open, patternCrc, sameFormat, type Opened } from "./stage.js";

const MANY = 1_000;

async function contribute(scene: Scene, where: string, client = scene.client): Promise<void> {
  const { name } = await client.ask({ do: "contribute", where });
  same("the stream's name", name, "camera");
}

/** The client fills and publishes a frame. @returns What it says of the publication. */
async function fill(scene: Scene, seed: number, options: object = {}): Promise<Answer> {
  same("the answer to a loan", (await scene.client.ask({ do: "loan" }))["blank"], true);
  await scene.client.ask({ do: "fill", seed });
  return scene.client.ask({ do: "publish", ...options });
}

/** What has come to the consumer of the stream. */
async function seen(scene: Scene, { consumer }: Opened): Promise<Frame> {
  const frame = await consumer.next({ timeout: scene.timeout });
  if (frame === undefined) throw new Error("The suite's own stream has ended");
  return frame;
}

const DATA: readonly JsonValue[] = [
  0,
  -2.5e-9,
  true,
  null,
  'line\nend "quoted" \\ \u0001',
  "日本 🎥",
  [1, [2, []]],
  { a: { b: [null] } },
  "x".repeat(900),
];
const PICTURES: readonly Picture[] = [
  { duration: 0.1 },
  { rotation: 180, flip: false, displayWidth: 7, displayHeight: 3 },
  { visibleRect: { x: 1, y: 0, width: 2, height: 8 }, flip: true },
  { colorSpace: { primaries: "bt709", transfer: null, matrix: "rgb", fullRange: null } },
  { colorSpace: { fullRange: false }, duration: 40_000, rotation: 0 },
];

const CASES: readonly (readonly [string, Case["run"]])[] = [
  [
    "it hears the stream's name, format and how many bytes of data a frame may carry",
    async (scene) => {
      const { where } = open(scene, { name: "camera ü 🎥", dataBytes: 123 });
      const answer = await scene.client.ask({ do: "contribute", where });
      same("the stream's name", answer["name"], "camera ü 🎥");
      same('"dataBytes"', answer["dataBytes"], 123);
      sameFormat(answer.format, FORMAT);
    },
  ],
  [
    "it fills frames of each kind",
    async (scene) => {
      for (const format of FORMATS.map(([, formats]) => formats[formats.length - 1]!)) {
        const opened = open(scene, { format });
        const answer = await scene.client.ask({ do: "contribute", where: opened.where });
        sameFormat(answer.format, format);
        await fill(scene, 33);
        using frame = await seen(scene, opened);
        same("the checksum", crc32(frame.bytes), patternCrc(format.size, 33));
        await scene.client.ask({ do: "close" });
      }
    },
  ],
  [
    `${MANY} frames come to the consumer as they were filled, in order, and nothing in them is torn`,
    async (scene) => {
      const opened = open(scene, { buffers: 3 });
      await contribute(scene, opened.where);
      const looking = (async () => {
        const crcs: number[] = [];
        for (let i = 0; i < MANY; i++) {
          using frame = await seen(scene, opened);
          crcs.push(crc32(frame.bytes));
        }
        return crcs;
      })();
      looking.catch(() => {});
      for (let i = 0; i < MANY; i++) await fill(scene, i & 255);
      for (const [i, crc] of (await looking).entries())
        same(`the checksum of frame ${i}`, crc, patternCrc(FORMAT.size, i & 255));
    },
  ],
  [
    "timestamps, data and pictures come with its frames, whose numbers it is told",
    async (scene) => {
      const opened = open(scene, { format: imageFormat("GREY", 16, 8), dataBytes: 1000 });
      await contribute(scene, opened.where);
      for (const [i, options] of [
        ...[0, -0.5, 1e15 + 0.5, 2 ** 53].map((timestamp) => ({ timestamp })),
        ...DATA.map((data) => ({ data })),
        ...PICTURES.map((picture) => ({ picture })),
        { timestamp: 1.25, data: { n: 1 }, picture: { rotation: 90 } },
        {},
      ].entries()) {
        const { sequence } = await fill(scene, i, options);
        using frame = await seen(scene, opened);
        same("the sequence number", sequence, frame.sequence);
        const { timestamp, data, picture } = frame;
        const wanted = options as { timestamp?: number; data?: JsonValue; picture?: Picture };
        same("the timestamp", timestamp, wanted.timestamp ?? frame.publishedAt);
        same("the data", data ?? null, wanted.data ?? null);
        same("the picture", picture ?? null, wanted.picture ?? null);
      }
    },
  ],
  [
    "its frame may be shorter than the format, and have no byte at all",
    async (scene) => {
      const audio = audioFormat({ channels: 2, rate: 48_000, samples: 128, type: "int16" });
      for (const [format, lengths] of [
        [FORMAT, [0, 1, 4095, 4096]],
        [audio, [0, 4, 508]],
      ] as const) {
        const opened = open(scene, { format });
        await contribute(scene, opened.where);
        for (const length of lengths) {
          await fill(scene, 9, { length });
          using frame = await seen(scene, opened);
          same("the length", frame.bytes.length, length);
          same("the checksum", crc32(frame.bytes), patternCrc(length, 9));
        }
        await scene.client.ask({ do: "close" });
      }
    },
  ],
  [
    "a publication that is wrong is refused, and the next one is taken",
    async (scene) => {
      const opened = open(scene, { dataBytes: 10 });
      await contribute(scene, opened.where);
      for (const [options, code] of [
        [{ length: 4097 }, "EINVAL"],
        [{ data: "more than ten bytes" }, "EOVERFLOW"],
        [{ picture: { rotation: 90 } }, "EINVAL"],
      ] as const) {
        same("the answer to a loan", (await scene.client.ask({ do: "loan" }))["blank"], true);
        await scene.client.fails({ do: "publish", ...options }, code);
        await scene.client.ask({ do: "drop" });
      }
      await fill(scene, 3);
      using frame = await seen(scene, opened);
      same("the sequence number of the first frame", frame.sequence, 0);
      same("the checksum", crc32(frame.bytes), patternCrc(FORMAT.size, 3));
    },
  ],
  [
    "a blank that it drops comes back into the ring",
    async (scene) => {
      const opened = open(scene, { buffers: 1 });
      await contribute(scene, opened.where);
      for (let i = 0; i < 5; i++) {
        same("the answer to a loan", (await scene.client.ask({ do: "loan" }))["blank"], true);
        await scene.client.ask({ do: "fill", seed: 200 });
        await scene.client.ask({ do: "drop" });
      }
      await fill(scene, 4);
      using frame = await seen(scene, opened);
      same("the checksum", crc32(frame.bytes), patternCrc(FORMAT.size, 4));
    },
  ],
  [
    "from the publication on it has no memory of the frame",
    async (scene) => {
      const opened = open(scene);
      await contribute(scene, opened.where);
      for (let i = 0; i < 8; i++) {
        same("the answer to a loan", (await scene.client.ask({ do: "loan" }))["blank"], true);
        holds(scene.writable().length > 0, 'the blank is not mapped in the process that "hello" names');
        await scene.client.ask({ do: "fill", seed: i });
        await scene.client.ask({ do: i % 4 === 3 ? "drop" : "publish" });
        same("what can be written after it was given back", scene.writable(), []);
        if (i % 4 !== 3) (await seen(scene, opened)).close();
      }
      same("blanks that are not back", opened.server.withheld, 0);
    },
  ],
  [
    "a time limit ends its wait for a blank, and the blank comes to the next call",
    async (scene) => {
      const opened = open(scene, { buffers: 1 });
      await contribute(scene, opened.where);
      await fill(scene, 1);
      for (const timeout of [0, 150]) {
        const start = performance.now();
        await scene.client.fails({ do: "loan", timeout }, "ETIMEDOUT");
        holds(performance.now() - start >= timeout - 1, `it has not waited for ${timeout} ms`);
      }
      (await seen(scene, opened)).close();
      await fill(scene, 2);
      using frame = await seen(scene, opened);
      same("the checksum", crc32(frame.bytes), patternCrc(FORMAT.size, 2));
    },
  ],
  [
    "it is told when the stream was ended by its owner",
    async (scene) => {
      const { where, stream } = open(scene);
      await contribute(scene, where);
      stream.end();
      same("the answer to a loan", (await scene.client.ask({ do: "loan" }))["blank"], false);
    },
  ],
  [
    "its end is the stream's where the server says so, and else the next one goes on",
    async (scene) => {
      const goesOn = open(scene);
      await contribute(scene, goesOn.where);
      await fill(scene, 1);
      await scene.client.ask({ do: "end" });
      await scene.client.ask({ do: "close" });
      await scene.until("the server has noticed the end", () => goesOn.server.contributors === 0);
      await contribute(scene, goesOn.where);
      await fill(scene, 2);
      for (let i = 0; i < 2; i++) (await seen(scene, goesOn)).close();
      await scene.client.ask({ do: "close" });
      const ends = open(scene, {}, { ends: true });
      await contribute(scene, ends.where);
      await fill(scene, 1);
      await scene.client.ask({ do: "end" });
      (await seen(scene, ends)).close();
      same("the frame after the end", await ends.consumer.next({ timeout: scene.timeout }), undefined);
    },
  ],
  [
    "its failure is the stream's where the server says so",
    async (scene) => {
      const { where, consumer } = open(scene, {}, { ends: true });
      await contribute(scene, where);
      await scene.client.ask({ do: "fail", failure: { code: "ENODEV", message: "it was pulled out" } });
      const failed = consumer.next({ timeout: scene.timeout });
      same("what the consumer gets", await failed.catch((error: unknown) => (error as DmaBufError).code), "ENODEV");
    },
  ],
  [
    "it is refused with ENOSPC where there is one already, and comes in when that has gone",
    async (scene) => {
      const { where, server } = open(scene);
      const other = await scene.another();
      await contribute(scene, where, other);
      await scene.client.fails({ do: "contribute", where }, "ENOSPC");
      await other.ask({ do: "close" });
      await scene.until("the server has noticed the end of the other one", () => server.contributors === 0);
      await contribute(scene, where);
    },
  ],
  [
    "closed or killed while it has a blank it gives that back, and has nothing left open or mapped",
    async (scene) => {
      const opened = open(scene, { buffers: 1 });
      let before = scene.remains();
      for (let i = 0; i < 10; i++) {
        await contribute(scene, opened.where);
        await scene.client.ask({ do: "loan" });
        await scene.client.ask({ do: "fill", seed: 1 });
        await scene.client.ask({ do: "close" });
        await scene.until("the server has noticed the end", () => opened.server.contributors === 0);
        // The first may open what it keeps.
        if (i === 0) before = scene.remains();
      }
      await scene.sees(before, "after 10 clients");
      const other = await scene.another();
      await contribute(scene, opened.where, other);
      await other.ask({ do: "loan" });
      await other.kill();
      await scene.until("the server has noticed the kill", () => opened.server.contributors === 0);
      await contribute(scene, opened.where);
      await fill(scene, 5);
      using frame = await seen(scene, opened);
      same("the sequence number of the first frame", frame.sequence, 0);
    },
  ],
  [
    "when its server is killed a loan and a publication fail with ECONNRESET",
    async (scene) => {
      const server = await OtherServer.start(scene, "contributor");
      await contribute(scene, server.where);
      await scene.client.ask({ do: "loan" });
      await server.kill();
      await scene.client.ask({ do: "fill", seed: 1 });
      await scene.client.fails({ do: "publish" }, "ECONNRESET");
      await scene.client.fails({ do: "loan" }, "ECONNRESET");
    },
  ],
];

export const CONTRIBUTOR_CASES: readonly Case[] = numbered("FILL", "contributor", CASES);
