import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { audioFormat, imageFormat, rawFormat, type DmaBufError } from "dmabuf";
import { ProcessDomain } from "dmabuf/node";
import { FORMATS, readFormats } from "./formats.js";
import { OtherServer } from "./other-server.js";
import { holds, same } from "./same.js";
import { DATA, PICTURES } from "./samples.js";
import { numbered, type Case, type Scene } from "./scene.js";
import { FORMAT, patternCrc, publish, sameFormat, sameFrame, show } from "./stage.js";

const MANY = 1_000;

/** Connects, and says what the client has heard. */
async function view(scene: Scene, where: string, client = scene.client): Promise<void> {
  const { name } = await client.ask({ do: "view", where });
  same("the stream's name", name, "camera");
}

const CASES: readonly (readonly [string, Case["run"]])[] = [
  [
    "it hears the stream's name, format and policy",
    async (scene) => {
      const { where } = show(scene, { name: "camera ü 🎥" }, { policy: "drop-oldest" });
      const { name, format, policy } = await scene.client.ask({ do: "view", where });
      same("the stream's name", name, "camera ü 🎥");
      same("the policy", policy, "drop-oldest");
      sameFormat(format, FORMAT);
    },
  ],
  ...FORMATS.map(([kind], i): readonly [string, Case["run"]] => [
    `it reads the formats and the planes of ${kind}`,
    async (scene) => readFormats(scene, FORMATS[i]![1]),
  ]),
  [
    "a server may be at a path",
    async (scene) => {
      const folder = mkdtempSync(join(tmpdir(), "dmabuf suite "));
      scene.after(() => rmSync(folder, { recursive: true, force: true }));
      const domain = ProcessDomain.create({ agents: 4 });
      scene.after(() => domain.close());
      const stream = domain.createStream({ name: "camera", format: FORMAT });
      domain.serveViewers(join(folder, "a socket"), stream);
      await view(scene, join(folder, "a socket"));
    },
  ],
  [
    `${MANY} frames come in order, each as it was published, and nothing in them is torn`,
    async (scene) => {
      const { stream, where } = show(scene, { buffers: 3 });
      await view(scene, where);
      const wanted = (async () => {
        const all = [];
        for (let i = 0; i < MANY; i++)
          all.push(await publish(scene, stream, { seed: i & 255, length: 4096 - (i % 7) }));
        return all;
      })();
      const seen = [];
      for (let i = 0; i < MANY; i++) {
        seen.push(await scene.client.next());
        await scene.client.ask({ do: "done" });
      }
      for (const [i, frame] of (await wanted).entries()) sameFrame(seen[i]!, { ...frame, sequence: i });
    },
  ],
  [
    "a frame may be shorter than its format, and have no byte at all",
    async (scene) => {
      const audio = audioFormat({ channels: 2, rate: 48_000, samples: 128, type: "int16" });
      for (const [format, lengths] of [
        [rawFormat(5000), [0, 1, 4097, 4999, 5000]],
        [audio, [0, 4, 252, 512]],
      ] as const) {
        const { stream, where } = show(scene, { format });
        await view(scene, where);
        for (const [sequence, length] of lengths.entries()) {
          const wanted = await publish(scene, stream, { length, seed: length & 255 });
          sameFrame(await scene.client.next(), { ...wanted, sequence });
          await scene.client.ask({ do: "done" });
        }
        await scene.client.ask({ do: "close" });
      }
    },
  ],
  [
    "data of each kind come with a frame",
    async (scene) => {
      const { stream, where } = show(scene, { dataBytes: 4000 });
      await view(scene, where);
      for (const data of DATA) {
        const wanted = await publish(scene, stream, { data });
        sameFrame(await scene.client.next(), wanted);
        await scene.client.ask({ do: "done" });
      }
      sameFrame(await publish(scene, stream).then(async () => scene.client.next()), {
        length: FORMAT.size,
        crc: patternCrc(FORMAT.size, 1),
      });
    },
  ],
  [
    "pictures come with a frame, whole and in part",
    async (scene) => {
      const { stream, where } = show(scene, { format: imageFormat("GREY", 16, 8), dataBytes: 100 });
      await view(scene, where);
      for (const [i, picture] of PICTURES.entries()) {
        const wanted = await publish(scene, stream, { picture, ...(i % 2 === 0 && { data: i }) });
        const seen = await scene.client.next();
        // A picture that says nothing may be none.
        sameFrame({ ...seen, picture: seen.picture ?? {} }, wanted);
        await scene.client.ask({ do: "done" });
      }
      const plain = await publish(scene, stream);
      sameFrame(await scene.client.next(), plain);
    },
  ],
  [
    "a frame has its producer's timestamp, or the time of its publication",
    async (scene) => {
      const { stream, where } = show(scene);
      await view(scene, where);
      let before = Number(process.hrtime.bigint());
      for (const timestamp of [0, -1.5, 9007199254740991, undefined]) {
        await publish(scene, stream, timestamp === undefined ? {} : { timestamp });
        const seen = await scene.client.next();
        await scene.client.ask({ do: "done" });
        same("the timestamp", seen.timestamp, timestamp ?? seen.publishedAt);
        holds(seen.publishedAt >= before, `"publishedAt" is ${seen.publishedAt}, and must not be before ${before}`);
        before = seen.publishedAt;
      }
    },
  ],
  [
    'with the policy "newest" a slow one sees the newest frame, and what it holds stays as it is',
    async (scene) => {
      const { stream, where } = show(scene, {}, { policy: "newest" });
      await view(scene, where);
      const first = await publish(scene, stream, { seed: 100 });
      sameFrame(await scene.client.next(), { ...first, sequence: 0 });
      let last;
      for (let i = 1; i <= 50; i++) {
        last = await publish(scene, stream, { seed: i });
        if (i % 10 !== 0) continue;
        const { crc } = await scene.client.ask({ do: "look" });
        same("the checksum of a frame that is held", crc, first.crc);
      }
      await scene.client.ask({ do: "done" });
      sameFrame(await scene.client.next(), { ...last, sequence: 50 });
    },
  ],
  [
    'with the policy "drop-oldest" a slow one sees what is left, in order',
    async (scene) => {
      const { stream, where } = show(scene, {}, { policy: "drop-oldest" });
      await view(scene, where);
      await publish(scene, stream);
      await scene.client.next();
      for (let i = 1; i <= 50; i++) await publish(scene, stream, { seed: i });
      await scene.client.ask({ do: "done" });
      let before = 0;
      while (before < 50) {
        const { sequence, crc } = await scene.client.next();
        holds(sequence > before && sequence <= 50, `after frame ${before} comes frame ${sequence}`);
        same("the checksum", crc, patternCrc(FORMAT.size, sequence));
        before = sequence;
        await scene.client.ask({ do: "done" });
      }
    },
  ],
  [
    'with the policy "block" a frame that is held holds the producer up, until it is given back',
    async (scene) => {
      const { stream, where } = show(scene, { buffers: 2 });
      await view(scene, where);
      await publish(scene, stream);
      await scene.client.next();
      await publish(scene, stream);
      const held = await stream.loan({ timeout: 50 }).catch((error: unknown) => (error as DmaBufError).code);
      same("a loan while both frames are out", held, "ETIMEDOUT");
      await scene.client.ask({ do: "done" });
      await publish(scene, stream);
      for (let i = 1; i <= 2; i++) {
        same("the sequence number", (await scene.client.next()).sequence, i);
        await scene.client.ask({ do: "done" });
      }
    },
  ],
  [
    "it gets the policy that it asks for, if that is allowed, and else EACCES",
    async (scene) => {
      const { where, stream, server } = show(scene, {}, { policy: "newest", policies: ["drop-oldest"] });
      await scene.client.fails({ do: "view", where, policy: "block" }, "EACCES");
      const { policy } = await scene.client.ask({ do: "view", where, policy: "drop-oldest" });
      same("the policy", policy, "drop-oldest");
      await publish(scene, stream);
      await scene.client.next();
      for (let i = 1; i <= 2; i++) await publish(scene, stream);
      await scene.client.ask({ do: "done" });
      same("the sequence number of what a newest-only viewer had missed", (await scene.client.next()).sequence, 1);
      same("viewers", server.viewers, 1);
    },
  ],
  [
    "in a group that it asks for each frame comes to one of its viewers, if the group is allowed",
    async (scene) => {
      const { where, stream } = show(scene, { buffers: 8 }, { groups: ["workers"] });
      const other = await scene.another();
      await scene.client.fails({ do: "view", where, group: "managers" }, "EACCES");
      for (const client of [scene.client, other]) await client.ask({ do: "view", where, group: "workers" });
      for (let i = 0; i < 6; i++) await publish(scene, stream, { seed: i });
      const seen: number[] = [];
      for (let i = 0; i < 6; i++) {
        const client = i % 2 === 0 ? scene.client : other;
        const { sequence, crc } = await client.next();
        same("the checksum", crc, patternCrc(FORMAT.size, sequence));
        seen.push(sequence);
        await client.ask({ do: "done" });
      }
      same("the frames that the two have seen", seen.sort(), [0, 1, 2, 3, 4, 5]);
    },
  ],
  [
    "when the stream has ended it says so, again and again",
    async (scene) => {
      const { stream, where } = show(scene);
      await view(scene, where);
      await publish(scene, stream);
      stream.end();
      same("the sequence number", (await scene.client.next()).sequence, 0);
      await scene.client.ask({ do: "done" });
      for (let i = 0; i < 3; i++) same("the frame at the end", (await scene.client.ask({ do: "next" })).frame, null);
    },
  ],
  [
    "what the stream fails with is what it fails with",
    async (scene) => {
      for (const code of ["EIO", "ENODEV"] as const) {
        const { stream, where } = show(scene);
        await view(scene, where);
        stream.fail(code);
        await scene.client.fails({ do: "next" }, code);
        await scene.client.ask({ do: "close" });
      }
    },
  ],
  [
    "it is refused with ENOSPC where there are too many, and comes in when one has gone",
    async (scene) => {
      const { where, server } = show(scene, {}, { viewers: 1 });
      const other = await scene.another();
      await view(scene, where, other);
      await scene.client.fails({ do: "view", where }, "ENOSPC");
      await other.ask({ do: "close" });
      await scene.until("the server has noticed the end of the other one", () => server.viewers === 0);
      await view(scene, where);
    },
  ],
  [
    "it fails with ECONNREFUSED or ENOENT where there is no server",
    async (scene) => {
      await scene.client.fails({ do: "view", where: scene.place() }, "ECONNREFUSED");
      await scene.client.fails({ do: "view", where: "/nonexistent/place" }, "ENOENT", "ECONNREFUSED");
    },
  ],
  [
    "one that comes late sees the frames from then on",
    async (scene) => {
      const { stream, where } = show(scene);
      for (let i = 0; i < 9; i++) await publish(scene, stream, { seed: i });
      await view(scene, where);
      const last = publish(scene, stream, { seed: 9 });
      let seen = await scene.client.next();
      for (; seen.sequence < 9; seen = await scene.client.next()) {
        same("the checksum", seen.crc, patternCrc(FORMAT.size, seen.sequence));
        await scene.client.ask({ do: "done" });
      }
      sameFrame(seen, { ...(await last), sequence: 9 });
    },
  ],
  [
    "a time limit ends its wait for a frame, and the frame comes to the next call",
    async (scene) => {
      const { stream, where } = show(scene);
      await view(scene, where);
      for (const timeout of [0, 1, 150]) {
        const start = performance.now();
        await scene.client.fails({ do: "next", timeout }, "ETIMEDOUT");
        const took = performance.now() - start;
        holds(took >= timeout - 1, `it has waited for ${took} ms, and must for ${timeout}`);
      }
      const wanted = await publish(scene, stream);
      sameFrame(await scene.client.next(), wanted);
    },
  ],
  [
    "two see the same frames, each at its own pace",
    async (scene) => {
      const { stream, where } = show(scene);
      const other = await scene.another();
      await view(scene, where);
      await view(scene, where, other);
      for (let i = 0; i < 3; i++) await publish(scene, stream, { seed: i });
      for (const client of [other, scene.client]) {
        for (let i = 0; i < 3; i++) {
          sameFrame(await client.next(), { sequence: i, length: FORMAT.size, crc: patternCrc(FORMAT.size, i) });
          await client.ask({ do: "done" });
        }
      }
    },
  ],
  [
    "a ring may have 32 places",
    async (scene) => {
      const { stream, where } = show(scene, { buffers: 32 });
      await view(scene, where);
      for (let i = 0; i < 70; i++) {
        const wanted = await publish(scene, stream, { seed: i });
        sameFrame(await scene.client.next(), { ...wanted, sequence: i });
        await scene.client.ask({ do: "done" });
      }
    },
  ],
  [
    "closed while it holds a frame it gives it back, and has nothing left open or mapped",
    async (scene) => {
      const { stream, where, server } = show(scene, { buffers: 1 });
      const wanted = await publish(scene, stream);
      let before = scene.remains();
      for (let i = 0; i < 20; i++) {
        await view(scene, where);
        sameFrame(await scene.client.next(), { ...wanted, sequence: 0 });
        await scene.client.ask({ do: "close" });
        await scene.until("the server has noticed the end", () => server.viewers === 0 && stream.consumers === 0);
        // The first may open what it keeps.
        if (i === 0) before = scene.remains();
      }
      await scene.sees(before, "after 20 clients");
      await publish(scene, stream);
    },
  ],
  [
    "killed while it holds a frame it gives it back",
    async (scene) => {
      const { stream, where } = show(scene, { buffers: 1 });
      const other = await scene.another();
      await view(scene, where, other);
      await publish(scene, stream);
      await other.next();
      await other.kill();
      await scene.until("the server has noticed the end", () => stream.consumers === 0);
      const wanted = await publish(scene, stream, { seed: 2 });
      await view(scene, where);
      sameFrame(await scene.client.next(), wanted);
    },
  ],
  [
    "it can look further at its frame when its server has been killed, and then fails with ECONNRESET",
    async (scene) => {
      const server = await OtherServer.start(scene, "viewer");
      await view(scene, server.where);
      await server.ask({ do: "publish", seed: 5 });
      const { crc } = await scene.client.next();
      same("the checksum", crc, patternCrc(FORMAT.size, 5));
      await server.kill();
      same("the checksum after the kill", (await scene.client.ask({ do: "look" })).crc, crc);
      await scene.client.ask({ do: "done" });
      await scene.client.fails({ do: "next" }, "ECONNRESET");
      await scene.client.ask({ do: "close" });
    },
  ],
  [
    "its wait for a frame fails with ECONNRESET when its server is killed",
    async (scene) => {
      const server = await OtherServer.start(scene, "viewer");
      await view(scene, server.where);
      const waiting = scene.client.fails({ do: "next" }, "ECONNRESET");
      setTimeout(() => void server.kill(), 100);
      await waiting;
    },
  ],
  [
    "the end of the adapter's input ends it in order, also while a frame is held",
    async (scene) => {
      const { stream, where } = show(scene, { buffers: 1 });
      await view(scene, where);
      await publish(scene, stream);
      await scene.client.next();
      await scene.finish();
    },
  ],
];

export const VIEWER_CASES: readonly Case[] = numbered("VIEW", "viewer", CASES);
