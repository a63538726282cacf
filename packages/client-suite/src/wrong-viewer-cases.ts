import { crc32 } from "node:zlib";
import { imageFormat, type FrameFormat } from "dmabuf";
import {
  damagedFormats,
  damagedGreetings,
  greeting,
  metadata,
  metadataAt,
  NO_GREETINGS,
  NO_MEMORY,
  places,
  RAW,
  type Greeting,
  type Written,
} from "./greeting.js";
import { RawServer, type Sent } from "./raw-server.js";
import { holds, same } from "./same.js";
import { numbered, Skipped, type Case, type Scene } from "./scene.js";
import { fillPattern, patternCrc, sameFormat } from "./stage.js";

/** What a client may say of a server that says what it should not: it may only see that the connection is over. */
const WRONG = ["EPROTO", "ECONNRESET"] as const;
const OTHER_USER = 65534;

/** Bytes: more than any line may have. */
const TOO_LONG = 70_000;

type Words = Parameters<RawServer["send"]>[0];

/** The client connects, and is told this. */
async function tell(server: RawServer, words: Words, files: readonly Sent[] = [], pieces?: number): Promise<void> {
  await server.accept();
  await server.words();
  await server.send(words, files, pieces);
}

/** The client refuses what it is told, and hangs up. */
async function refuses(scene: Scene, server: RawServer, words: Words, files: readonly Sent[] = []): Promise<string> {
  const refused = scene.client.fails({ do: "view", where: server.where }, "EPROTO");
  const told = tell(server, words, files).then(async () => server.rest());
  const [message] = await Promise.all([refused, told]);
  return message;
}

/** A client that has been greeted. */
interface Met {
  readonly server: RawServer;
  readonly files: readonly { readonly file: number }[];
}

async function meet(scene: Scene, right: Greeting = greeting(), pieces?: number, at?: RawServer): Promise<Met> {
  const server = at ?? (await RawServer.start(scene));
  const files = await places(server, right);
  const viewing = scene.client.ask({ do: "view", where: server.where });
  const [answer] = await Promise.all([viewing, tell(server, right, files, pieces)]);
  same("the stream's name", answer["name"], "camera");
  sameFormat(answer.format, right.format);
  return { server, files };
}

/** Writes a frame into its place, and tells the client of it. */
async function put({ server, files }: Met, place: number, written: Written, format: FrameFormat = RAW): Promise<void> {
  const bytes = new Uint8Array(format.size);
  fillPattern(bytes, place);
  await server.write(files[place]!.file, 0, bytes);
  await server.write(files[place]!.file, metadataAt(format), metadata(written));
}

/** Looks whether the client leaves anything behind, from the second time on: the first may open what it keeps. */
async function each<T>(scene: Scene, items: readonly T[], run: (item: T) => Promise<void>): Promise<void> {
  const [first, ...others] = items;
  await run(first!);
  await scene.client.ask({ do: "close" });
  const before = scene.remains();
  for (const item of others) await run(item);
  await scene.client.ask({ do: "close" });
  await scene.sees(before, `after ${items.length} connections`);
}

async function refusesEach(scene: Scene, all: readonly Words[]): Promise<void> {
  const server = await RawServer.start(scene);
  const files = await places(server, greeting());
  await each(scene, all, async (words) => {
    try {
      await refuses(scene, server, words, files);
    } catch (error) {
      const said = typeof words === "string" ? words : JSON.stringify(words);
      (error as Error).message += `\ntold ${said.slice(0, 300)}`;
      throw error;
    }
  });
}

const CASES: readonly (readonly [string, Case["run"]])[] = [
  [
    "its first line is as the protocol has it, and it sends no descriptors",
    async (scene) => {
      const server = await RawServer.start(scene);
      for (const wishes of [{}, { policy: "drop-oldest" }, { policy: "block", group: "group ü", name: 'a "name"' }]) {
        const viewing = scene.client.fails({ do: "view", where: server.where, ...wishes }, "ECONNRESET");
        const look = async (): Promise<void> => {
          await server.accept();
          const { line, descriptors } = await server.line();
          await server.hangUp();
          const hello = JSON.parse(line ?? "null") as { readonly name?: string };
          // Its name is for people, and its own if nothing is said of it.
          const { name } = "name" in wishes ? wishes : hello;
          same("the first line", hello, { visitor: 1, as: "viewer", ...wishes, name });
          same("descriptors that came with it", descriptors, 0);
        };
        await Promise.all([viewing, look()]);
      }
    },
  ],
  [
    "it reads a frame and its metadata as they are written by hand, and gives it back by one line",
    async (scene) => {
      const format = imageFormat("GREY", 10, 7);
      const met = await meet(scene, greeting(format));
      const numbers = [5.5, NaN, NaN, 4, 2, 1, 2, 3, 4, 4, 0, 1, 3];
      const picture = {
        duration: 5.5,
        rotation: 270,
        flip: true,
        visibleRect: { x: 1, y: 2, width: 3, height: 4 },
        colorSpace: { primaries: "smpte170m", matrix: null, fullRange: true },
      };
      await put(
        met,
        1,
        { sequence: 2 ** 40, timestamp: -0.25, publishedAt: 1e15, text: '{"a":[1]}', picture: numbers },
        format,
      );
      await met.server.send({ place: 1 });
      const frame = await scene.client.next();
      same("the frame", frame, {
        sequence: 2 ** 40,
        timestamp: -0.25,
        publishedAt: 1e15,
        length: 70,
        crc: patternCrc(70, 1),
        data: { a: [1] },
        picture,
      });
      await scene.client.ask({ do: "done" });
      same("what gives a frame back", await met.server.words(), { done: true });
    },
  ],
  [
    "it understands words in pieces of one byte, and several lines in one piece",
    async (scene) => {
      const met = await meet(scene, greeting(), 1);
      await put(met, 0, { sequence: 7 });
      await met.server.send({ place: 0 }, [], 1);
      same("the sequence number", (await scene.client.next()).sequence, 7);
      await scene.client.ask({ do: "done" });
      await scene.client.ask({ do: "close" });
      const viewing = scene.client.ask({ do: "view", where: met.server.where });
      await Promise.all([viewing, tell(met.server, [greeting(), { place: 0 }, { end: true }], met.files)]);
      same("the sequence number", (await scene.client.next()).sequence, 7);
      await scene.client.ask({ do: "done" });
      same("the frame at the end", (await scene.client.ask({ do: "next" })).frame, null);
    },
  ],
  [
    "it does not mind fields that it does not know, the order of fields, escapes and white space",
    async (scene) => {
      const server = await RawServer.start(scene);
      const { visitor, ...others } = greeting();
      const files = await places(server, greeting());
      const odd = { later: [{ a: [1, null, "}"] }, "\u{1f3a5}"], ...others, visitor };
      const text = JSON.stringify(odd, null, 1)
        .replaceAll("\n", "\t")
        .replace('"camera"', '"c\\u0061m\\u0065ra \\ud83c\\udfa5"');
      const viewing = scene.client.ask({ do: "view", where: server.where });
      const [answer] = await Promise.all([viewing, tell(server, `${text}\n`, files)]);
      same("the stream's name", answer["name"], "camera 🎥");
      await server.write(0, metadataAt(RAW), metadata({ sequence: 3 }));
      await server.send('\r {"later":{"place":1}, "place" : 0 } \n');
      same("the sequence number", (await scene.client.next()).sequence, 3);
    },
  ],
  ["it refuses what is no greeting", async (scene) => refusesEach(scene, NO_GREETINGS)],
  ["it refuses greetings with a wrong field", async (scene) => refusesEach(scene, damagedGreetings())],
  [
    "it refuses damaged formats, before they lead it out of its memory",
    async (scene) =>
      refusesEach(
        scene,
        damagedFormats().map((format) => ({ ...greeting(), format })),
      ),
  ],
  [
    "it refuses another version of the protocol, and says both",
    async (scene) => {
      const server = await RawServer.start(scene);
      const files = await places(server, greeting());
      const message = await refuses(scene, server, { ...greeting(), visitor: 27 }, files);
      holds(message.includes("27") && message.includes("1"), `its message has not both versions: ${message}`);
      for (const visitor of [0, "1", null, undefined]) await refuses(scene, server, { ...greeting(), visitor }, files);
    },
  ],
  [
    "it refuses too few and too many descriptors, and keeps none",
    async (scene) => {
      const server = await RawServer.start(scene);
      const [one, two] = await places(server, greeting());
      await each(scene, [[], [one!], [one!, two!, one!], Array<Sent>(33).fill(one!)], async (files) => {
        await refuses(scene, server, greeting(), files);
      });
    },
  ],
  [
    "it refuses memory that is too small, that can be cut, and what is no memory",
    async (scene) => {
      const server = await RawServer.start(scene);
      const right = greeting();
      const [one] = await places(server, right);
      const small = await server.memory(right.bytes - 1);
      const unsealed = await server.memory(right.bytes, { sealed: false });
      const empty = await server.memory(0);
      const wrong: Sent[] = [{ file: small }, { file: unsealed }, { file: empty }, ...NO_MEMORY];
      await each(scene, wrong, async (file) => {
        await refuses(scene, server, right, [one!, file]);
      });
    },
  ],
  [
    "a refusal's code and words are the client's error",
    async (scene) => {
      const server = await RawServer.start(scene);
      for (const code of ["ENOSPC", "EACCES", "EIO"]) {
        const failed = scene.client.fails({ do: "view", where: server.where }, code);
        const told = tell(server, { code, message: "these words" }).then(async () => server.hangUp());
        const [message] = await Promise.all([failed, told]);
        holds(message.includes("these words"), `its message has not the server's words: ${message}`);
      }
      // What has no meaning here is an error, too.
      const { error } = await Promise.all([
        scene.client.answer({ do: "view", where: server.where }),
        tell(server, { code: 5, message: null }),
      ]).then(([answer]) => answer as { error?: unknown });
      holds(error !== undefined, "a refusal with a code that is unknown is no error");
    },
  ],
  [
    "a server that hangs up, at once or in a line, is ECONNRESET",
    async (scene) => {
      const server = await RawServer.start(scene);
      await each(scene, ["", "{", JSON.stringify(greeting())], async (words) => {
        const failed = scene.client.fails({ do: "view", where: server.where }, ...WRONG);
        await Promise.all([failed, tell(server, words).then(async () => server.hangUp())]);
      });
      const failed = scene.client.fails({ do: "view", where: server.where }, "ECONNRESET");
      await Promise.all([failed, server.accept().then(async () => server.hangUp())]);
    },
  ],
  [
    "it refuses a line that is too long, and does not wait for its end",
    async (scene) => {
      const server = await RawServer.start(scene);
      await each(scene, ["x".repeat(TOO_LONG), `{"name":"${"x".repeat(TOO_LONG)}`], async (words) => {
        await refuses(scene, server, words);
      });
    },
  ],
  [
    "silence, from the start or in a line, is ETIMEDOUT when the time limit has passed",
    async (scene) => {
      const server = await RawServer.start(scene);
      for (const words of ["", '{"visitor":1,']) {
        const start = performance.now();
        const failed = scene.client.fails({ do: "view", where: server.where, timeout: 200 }, "ETIMEDOUT");
        await Promise.all([failed, tell(server, words)]);
        const took = performance.now() - start;
        holds(took >= 199, `it has waited for ${took} ms, and must for 200`);
      }
      // Not even accepted.
      await scene.client.fails({ do: "view", where: server.where, timeout: 50 }, "ETIMEDOUT");
    },
  ],
  [
    "it refuses places that there are not, a second frame at a time, and words without a meaning",
    async (scene) => {
      const wrong: readonly Words[] = [
        ...[2, -1, 1.5, 1e300, "0", null, [0]].map((place) => ({ place })),
        [{ place: 0 }, { place: 1 }],
        ...["\n", "{}\n", "[0]\n", "place 0\n", '{"place":0\n', '{"end":false}\n', "x".repeat(TOO_LONG)],
      ];
      const server = await RawServer.start(scene);
      for (const words of wrong) {
        await meet(scene, greeting(), undefined, server);
        await server.send(words);
        if (Array.isArray(words)) await scene.client.answer({ do: "next" });
        const answer = await scene.client.answer({ do: "next" });
        const { code } = (answer["error"] ?? {}) as { readonly code?: string };
        const said = JSON.stringify(words).slice(0, 40);
        holds(
          WRONG.some((right) => right === code),
          `told ${said}, "next" is answered ${JSON.stringify(answer)}`,
        );
        await scene.client.ask({ do: "close" });
      }
    },
  ],
  [
    "a frame with damaged metadata is EPROTO and given back, and the next one is read",
    async (scene) => {
      const format = imageFormat("GREY", 10, 10);
      const image = await meet(scene, greeting(format));
      await seesDamage(scene, image, format, [
        { textLength: 1000, text: "1" },
        { textLength: 2 ** 30 - 1 },
        { text: '{"a":' },
        { text: "1 2" },
        { length: 99 },
        { picture: [-1, NaN, NaN, 0, 0, NaN, NaN, NaN, NaN, 0, 0, 0, 0] },
        { picture: [NaN, 1.5, 1, 0, 0, NaN, NaN, NaN, NaN, 0, 0, 0, 0] },
        { picture: [NaN, 5, NaN, 0, 0, NaN, NaN, NaN, NaN, 0, 0, 0, 0] },
        { picture: [NaN, NaN, NaN, 0, 0, 8, 0, 3, 1, 0, 0, 0, 0] },
        { picture: [NaN, NaN, NaN, 0, 0, 0, 1e300, 1, 1, 0, 0, 0, 0] },
      ]);
      await scene.client.ask({ do: "close" });
      const raw = await meet(scene);
      await seesDamage(scene, raw, RAW, [
        ...[101, -1, 0.5, NaN, Infinity, 1e300].map((length) => ({ length })),
        { picture: [NaN, NaN, NaN, 1, 0, NaN, NaN, NaN, NaN, 0, 0, 0, 0] },
      ]);
    },
  ],
  [
    "it looks at its frame while its server hangs up, and then fails with ECONNRESET",
    async (scene) => {
      const met = await meet(scene);
      await put(met, 0, {});
      await met.server.send({ place: 0 });
      const { crc } = await scene.client.next();
      await met.server.hangUp();
      same("the checksum", (await scene.client.ask({ do: "look" })).crc, crc);
      await scene.client.ask({ do: "done" });
      await scene.client.fails({ do: "next" }, "ECONNRESET");
    },
  ],
  [
    "what the stream fails with is the client's error, with the server's words",
    async (scene) => {
      const { server } = await meet(scene);
      await server.send({ failed: { code: "ENODEV", message: "it was pulled out" } });
      const message = await scene.client.fails({ do: "next" }, "ENODEV");
      holds(message.includes("it was pulled out"), `its message has not the server's words: ${message}`);
    },
  ],
  [
    "it says nothing to a server of another user, unless that is named",
    async (scene) => {
      if (process.getuid?.() !== 0) throw new Skipped("a server of another user needs root");
      const server = await RawServer.start(scene, OTHER_USER);
      const refused = scene.client.fails({ do: "view", where: server.where }, "EACCES");
      const [, said] = await Promise.all([refused, server.accept().then(async () => server.rest())]);
      same("what it has said", said, "");
      const files = await places(server, greeting());
      const viewing = scene.client.ask({ do: "view", where: server.where, users: [1, OTHER_USER] });
      await Promise.all([viewing, tell(server, greeting(), files)]);
    },
  ],
];

async function seesDamage(scene: Scene, met: Met, format: FrameFormat, all: readonly Written[]): Promise<void> {
  for (const written of all) {
    await put(met, 0, written, format);
    await met.server.send({ place: 0 });
    const { error } = (await scene.client.answer({ do: "next" })) as { readonly error?: { readonly code?: string } };
    holds(
      error?.code === "EPROTO",
      `with ${JSON.stringify(written)} "next" is ${error?.code ?? "ok"}, and must be EPROTO`,
    );
    same("what gives the frame back", await met.server.words(), { done: true });
    await put(met, 1, { sequence: 9 }, format);
    await met.server.send({ place: 1 });
    const next = await scene.client.next();
    same("the sequence number of the next frame", next.sequence, 9);
    const bytes = new Uint8Array(format.size);
    fillPattern(bytes, 1);
    same("the checksum of the next frame", next.crc, crc32(bytes));
    await scene.client.ask({ do: "done" });
    same("what gives the frame back", await met.server.words(), { done: true });
  }
}

export const WRONG_VIEWER_CASES: readonly Case[] = numbered("WRONG-V", "viewer", CASES);
