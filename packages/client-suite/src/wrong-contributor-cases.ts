import { contributorGreeting, damagedFormats, NO_GREETINGS, NO_MEMORY, type Greeting } from "./greeting.js";
import { RawServer, type Sent } from "./raw-server.js";
import { holds, same } from "./same.js";
import { numbered, type Case, type Scene } from "./scene.js";
import { fillPattern } from "./stage.js";

const WRONG = ["EPROTO", "ECONNRESET"] as const;

type Words = Parameters<RawServer["send"]>[0];

async function tell(server: RawServer, words: Words, files: readonly Sent[] = []): Promise<void> {
  await server.accept();
  await server.words();
  await server.send(words, files);
}

/** A contributor that has been greeted. */
async function meet(scene: Scene, server: RawServer): Promise<Greeting> {
  const right = contributorGreeting();
  await Promise.all([scene.client.ask({ do: "contribute", where: server.where }), tell(server, right)]);
  return right;
}

/** The contributor asks for a loan, and gets this. */
async function lend(scene: Scene, server: RawServer, words: Words, files: readonly Sent[]): Promise<void> {
  const asked = async (): Promise<void> => {
    same("what asks for a loan", await server.words(), { loan: true });
    await server.send(words, files);
  };
  await Promise.all([scene.client.ask({ do: "loan" }), asked()]);
}

const CASES: readonly (readonly [string, Case["run"]])[] = [
  [
    "its first line is as the protocol has it, and it sends no descriptors",
    async (scene) => {
      const server = await RawServer.start(scene);
      const look = async (): Promise<void> => {
        await server.accept();
        const { line, descriptors } = await server.line();
        await server.hangUp();
        same("the first line", JSON.parse(line ?? "null"), { visitor: 1, as: "contributor", name: "name ü" });
        same("descriptors that came with it", descriptors, 0);
      };
      const failed = scene.client.fails({ do: "contribute", where: server.where, name: "name ü" }, "ECONNRESET");
      await Promise.all([failed, look()]);
    },
  ],
  [
    "it writes to the memory that it is lent and to no other byte, and has unmapped it before it says so",
    async (scene) => {
      const server = await RawServer.start(scene);
      const { bytes, format } = await meet(scene, server);
      const file = await server.memory(bytes);
      await server.write(file, 0, new Uint8Array(bytes).fill(0xee));
      await lend(scene, server, { blank: 31 }, [{ file, writable: true }]);
      await scene.client.ask({ do: "fill", seed: 21 });
      const options = { timestamp: 0.5, length: 99, data: { a: "ü" } };
      const heard = async (): Promise<void> => {
        const words = await server.words();
        same("what can be written once the publication was said", scene.writable(), []);
        same("what is said of the frame", words, { publish: options });
        const filled = new Uint8Array(bytes).fill(0xee);
        fillPattern(filled.subarray(0, format.size), 21);
        const written = await server.read(file, 0, bytes);
        holds(written.equals(filled), "the bytes of the frame are wrong, or bytes behind it were changed");
        await server.send({ published: 7 });
      };
      const [{ sequence }] = await Promise.all([scene.client.ask({ do: "publish", ...options }), heard()]);
      same("the sequence number", sequence, 7);
      await lend(scene, server, { blank: 31 }, [{ file, writable: true }]);
      await Promise.all([
        scene.client.ask({ do: "drop" }),
        server.words().then(async (words) => {
          same("what drops a blank", words, { drop: true });
          same("what can be written once that was said", scene.writable(), []);
          await server.send({ dropped: true });
        }),
      ]);
    },
  ],
  [
    "it refuses what is no greeting, and damaged ones",
    async (scene) => {
      const server = await RawServer.start(scene);
      const right = contributorGreeting();
      const wrong = [
        { ...right, visitor: 2 },
        ...[0, -1, 1.5, "9", undefined].map((bytes) => ({ ...right, bytes })),
        ...[-1, 1.5, "9", undefined].map((dataBytes) => ({ ...right, dataBytes })),
        ...damagedFormats().map((format) => ({ ...right, format })),
      ];
      for (const words of [...NO_GREETINGS, ...wrong]) {
        const refused = scene.client.fails({ do: "contribute", where: server.where }, "EPROTO");
        await Promise.all([refused, tell(server, words).then(async () => server.rest())]).catch((error: unknown) => {
          (error as Error).message += `\ntold ${JSON.stringify(words).slice(0, 300)}`;
          throw error;
        });
      }
    },
  ],
  [
    "it refuses blanks of places that there are not, and memory that does not fit or cannot be written",
    async (scene) => {
      const server = await RawServer.start(scene);
      const { bytes } = contributorGreeting();
      const right = { file: await server.memory(bytes), writable: true };
      const small = { file: await server.memory(bytes - 1), writable: true };
      const unsealed = { file: await server.memory(bytes, { sealed: false }), writable: true };
      const offers: readonly (readonly [Words, readonly Sent[]])[] = [
        ...[32, -1, 0.5, "0", null].map((blank) => [{ blank }, [right]] as const),
        [{ blank: 0 }, []],
        ...[{ ...right, writable: false }, small, unsealed, ...NO_MEMORY].map(
          (file) => [{ blank: 0 }, [file]] as const,
        ),
        [{ published: 1 }, []],
        [{}, []],
        ["\n", []],
      ];
      let before = scene.remains();
      for (const [i, [words, files]] of offers.entries()) {
        await meet(scene, server);
        const asked = server.words().then(async () => server.send(words, files));
        const [answer] = await Promise.all([scene.client.answer({ do: "loan" }), asked]);
        const { code } = (answer["error"] ?? {}) as { readonly code?: string };
        const isRight = WRONG.some((right) => right === code);
        holds(isRight, `told ${JSON.stringify([words, files])}, "loan" is answered ${JSON.stringify(answer)}`);
        await scene.client.ask({ do: "close" });
        if (i === 0) before = scene.remains();
      }
      await scene.sees(before, "after the last of them");
    },
  ],
  [
    "a refused frame is an error with the server's code and words, and it goes on",
    async (scene) => {
      const server = await RawServer.start(scene);
      const { bytes } = await meet(scene, server);
      const file = await server.memory(bytes);
      for (let i = 0; i < 2; i++) {
        await lend(scene, server, { blank: i }, [{ file, writable: true }]);
        const heard = server
          .words()
          .then(async () => server.send({ refused: { code: "ERANGE", message: "these words" } }));
        const [message] = await Promise.all([scene.client.fails({ do: "publish" }, "ERANGE"), heard]);
        holds(message.includes("these words"), `its message has not the server's words: ${message}`);
      }
    },
  ],
  [
    "answers to a publication that have no meaning, and silence or a hang-up in their place, are errors",
    async (scene) => {
      const server = await RawServer.start(scene);
      const file = await server.memory(contributorGreeting().bytes);
      for (const words of [{ published: "1" }, { published: -1 }, { published: 0.5 }, { blank: 0 }, {}, "1\n"]) {
        await meet(scene, server);
        await lend(scene, server, { blank: 0 }, [{ file, writable: true }]);
        const heard = server.words().then(async () => server.send(words));
        await Promise.all([scene.client.fails({ do: "publish" }, ...WRONG), heard]);
        await scene.client.ask({ do: "close" });
      }
      await meet(scene, server);
      await lend(scene, server, { blank: 0 }, [{ file, writable: true }]);
      await scene.client.fails({ do: "publish", timeout: 100 }, "ETIMEDOUT");
      await scene.client.ask({ do: "close" });
      await meet(scene, server);
      await lend(scene, server, { blank: 0 }, [{ file, writable: true }]);
      const gone = server.words().then(async () => server.hangUp());
      await Promise.all([scene.client.fails({ do: "publish" }, "ECONNRESET"), gone]);
    },
  ],
  [
    "a refusal in the middle is its error",
    async (scene) => {
      const server = await RawServer.start(scene);
      await meet(scene, server);
      const asked = server.words().then(async () => {
        await server.send({ code: "EBUSY", message: "these words" });
        await server.hangUp();
      });
      const [message] = await Promise.all([scene.client.fails({ do: "loan" }, "EBUSY"), asked]);
      holds(message.includes("these words"), `its message has not the server's words: ${message}`);
    },
  ],
];

export const WRONG_CONTRIBUTOR_CASES: readonly Case[] = numbered("WRONG-C", "contributor", CASES);
