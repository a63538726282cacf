import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { text } from "node:stream/consumers";
import { test, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import ts from "typescript";
import { capabilities } from "../src/node/index.js";
import { startServer, WITH_NATS } from "./nats-server.js";

/** Documentation is true: its programs are the ones in examples/, and these run. */

const root = new URL("../../", import.meta.url);
const workspace = new URL("../../", root);
const sources = readdirSync(new URL("examples/", root)).filter((name) => /\.m?[tj]s$/.test(name));
/** They run together, each in a process of its own. */
const TOGETHER = ["producer.ts", "consumer.ts"];
/** They run together, too: `packages/site/test/` does what their page says, word for word. */
const FOLLOWED = ["sender.mjs", "receiver.mjs"];
/** They need devices: `test/kernel/` runs them. */
const WITH_DEVICES = ["camera.ts", "display.ts"];
/** It needs a server. */
const WITH_SERVER = ["thumbnails.ts"];
const OTHERS = [...TOGETHER, ...FOLLOWED, ...WITH_DEVICES, ...WITH_SERVER];

for (const source of sources.filter((name) => !OTHERS.includes(name))) {
  test(`examples/${source} runs to its end and prints something`, { timeout: 60_000 }, () => {
    const { status, stdout, stderr } = spawnSync(process.execPath, [compiled(source)], {
      encoding: "utf8",
      timeout: 30_000,
    });
    assert.equal(stderr, "");
    assert.equal(status, 0);
    assert.notEqual(stdout, "");
  });
}

const MISSING = capabilities()
  .missing.map(({ name, reason }) => `${name}: ${reason}`)
  .join("; ");

test(
  "examples/producer.ts hands its frames to two of examples/consumer.ts, the second of which comes after a kill -9",
  { timeout: 60_000, skip: MISSING === "" ? false : MISSING },
  async (t) => {
    const place = `@dmabuf-examples-${process.pid}`;
    const start = (source: string) => {
      const child = spawn(process.execPath, [compiled(source), place], { stdio: ["ignore", "pipe", "inherit"] });
      t.after(() => child.kill("SIGKILL"));
      child.stdout.setEncoding("utf8");
      const said = { text: "" };
      child.stdout.on("data", (text: string) => (said.text += text));
      return { child, said };
    };
    const producer = start("producer.ts");
    await once(producer.child.stdout, "data");
    const killed = start("consumer.ts");
    await once(killed.child.stdout, "data");
    killed.child.kill("SIGKILL");
    const consumer = start("consumer.ts");
    const ended = await Promise.all([once(producer.child, "close"), once(consumer.child, "close")]);
    assert.deepEqual(ended, [
      [0, null],
      [0, null],
    ]);
    assert.match(producer.said.text, /published 100 frames/);
    const lines = consumer.said.text.trim().split("\n");
    assert.match(lines.at(-1)!, /^99 \{ title: 'frame 99' \} brightness 99 after /);
    for (const line of lines) {
      const [, number, title, brightness] = /^(\d+) .*'frame (\d+)'.*brightness (\d+) /.exec(line)!;
      assert.deepEqual([title, brightness], [number, number]);
    }
  },
);

/** Ends what the program has started, too. */
async function thumbnails(t: TestContext, ...args: readonly string[]): Promise<string> {
  const child = spawn(process.execPath, [compiled("thumbnails.ts"), ...args], {
    stdio: ["ignore", "pipe", "inherit"],
    detached: true,
  });
  const exit = once(child, "exit");
  t.after(async () => {
    const { pid } = child;
    try {
      if (pid !== undefined) process.kill(-pid, "SIGKILL");
    } catch {
      // All of it has ended.
    }
    await exit;
  });
  const said = await text(child.stdout);
  assert.deepEqual(await exit, [0, null], said);
  return said;
}

const THUMBNAILS = new RegExp(
  "^host one has begun \\d+ frames, and was killed\n" +
    "host two has begun (\\d+) frames, of them \\d that another had begun\n" +
    "60 of 60 thumbnails are right, each was written once: true\n$",
);

test("examples/thumbnails.ts loses one of two hosts, and no thumbnail", WITH_NATS, async (t) => {
  const server = await startServer(t);
  const [, two] = THUMBNAILS.exec(await thumbnails(t, "--server", server.url))!;
  assert.ok(Number(two) >= 40);
});

const HAS_FFMPEG = process.env["CI"] === "true" || spawnSync("ffmpeg", ["-version"]).error === undefined;

test(
  "examples/thumbnails.ts takes the frames of a video, and starts its server",
  { ...WITH_NATS, ...(!HAS_FFMPEG && { skip: "There is no ffmpeg" }) },
  async (t) => {
    const clip = fileURLToPath(new URL("packages/demo/assets/clip.mp4", workspace));
    assert.match(await thumbnails(t, "--nats", "--video", clip), THUMBNAILS);
  },
);

test("examples/file.ts writes every frame without a copy, and reads every frame as it was", { timeout: 60_000 }, () => {
  const { stdout } = spawnSync(process.execPath, [compiled("file.ts")], { encoding: "utf8", timeout: 30_000 });
  assert.equal(stdout, "50 frames are written, 0 bytes were copied\n50 of 50 frames are right\n");
});

test("examples/body.ts sends bytes of two frames, and fills one with them", { timeout: 60_000 }, () => {
  const { stdout } = spawnSync(process.execPath, [compiled("body.ts")], { encoding: "utf8", timeout: 30_000 });
  assert.equal(stdout, "32 each frame isa chunk of the body\n");
});

test("examples/packets.ts and examples/audio.ts print what they say", { timeout: 60_000 }, () => {
  const said = ["packets.ts", "audio.ts"].map(
    (name) => spawnSync(process.execPath, [compiled(name)], { encoding: "utf8", timeout: 30_000 }).stdout,
  );
  assert.deepEqual(said, [
    "first 5 bytes: hello\nsecond 13 bytes: a longer text\nthird 0 bytes: \n",
    "90 frames were played, and 10 times there was none\n",
  ]);
});

test("examples/deadlock.ts prints what docs/validator.md shows", { timeout: 60_000 }, () => {
  const { stdout } = spawnSync(process.execPath, [compiled("deadlock.ts")], { encoding: "utf8", timeout: 30_000 });
  const document = readFileSync(new URL("docs/validator.md", workspace), "utf8");
  // Times and lines differ.
  const plain = (text: string): string =>
    text.replace(/\d+\.\d s/, "some time").replace(/deadlock\.js:\d+/, "its place");
  assert.ok(plain(document).includes(plain(stdout)), stdout);
});

test("examples/conversation.ts prints what docs/protocol.md shows", { timeout: 60_000 }, () => {
  const { stdout } = spawnSync(process.execPath, [compiled("conversation.ts")], { encoding: "utf8", timeout: 30_000 });
  const [, shown] = /```text\n(viewer >[^]*?)```/.exec(readFileSync(new URL("docs/protocol.md", workspace), "utf8"))!;
  assert.equal(stdout, shown);
});

test("the first command of docs/validator.md validates a program that says nothing of it", { timeout: 60_000 }, (t) => {
  const [, command] = /```sh\n(.*)\n```/.exec(readFileSync(new URL("docs/validator.md", workspace), "utf8"))!;
  // In the package, so that the program imports it by its name.
  const folder = new URL("dist/validated-by-command/", root);
  mkdirSync(folder, { recursive: true });
  t.after(() => rmSync(folder, { recursive: true }));
  const program = `
    import { Domain } from "dmabuf";
    using domain = Domain.create();
    using left = domain.allocate(4096, { name: "left" });
    using right = domain.allocate(4096, { name: "right" });
    for (const [from, to] of [[left, right], [right, left]]) {
      using source = await from.access("read");
      using target = await to.access("write");
    }`;
  const { outputText } = ts.transpileModule(program, {
    compilerOptions: { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext },
  });
  writeFileSync(new URL("program.js", folder), outputText);
  const { status, stderr } = spawnSync("bash", ["-c", command!], { cwd: folder, encoding: "utf8", timeout: 30_000 });
  assert.equal(status, 0, stderr);
  assert.match(stderr, /A deadlock may happen: .*"left".*"right"|A deadlock may happen: .*"right".*"left"/);
});

const DOCUMENTS = [
  "README.md",
  "packages/site/pages/index.md",
  ...readdirSync(new URL("docs/", workspace), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".md"))
    .map((name) => `docs/${name}`),
];
const programsIn = (text: string): string[] =>
  [...text.matchAll(/```(?:ts|js)\n(.*?)```/gs)].map(([, program]) => program!);

test("every program in README.md and docs/ is in examples/ word for word, and every example is in a document", () => {
  const programs = DOCUMENTS.flatMap((name) => programsIn(readFileSync(new URL(name, workspace), "utf8")));
  // Other packages' own tests run theirs.
  const others = ["inspector", "web-demo"].map((name) => new URL(`packages/${name}/examples/`, workspace));
  const folders = [new URL("examples/", root), ...others];
  const examples = new Map(
    folders.flatMap((folder) =>
      readdirSync(folder).map((name) => [readFileSync(new URL(name, folder), "utf8"), name] as const),
    ),
  );
  for (const program of programs) assert.ok(examples.has(program), `no example is\n${program}`);
  const shown = programs.map((program) => examples.get(program)!);
  assert.deepEqual(
    [...examples.values()].filter((name) => !shown.includes(name)),
    [],
  );
});

/** What in the documents is neither one of our programs nor what one prints, with what runs it, or why nothing does. */
const OTHER_CODE: Readonly<Record<string, string>> = {
  "docs/in-the-browser.md html": "packages/site/test/in-the-browser.test.ts loads it",
  "docs/in-the-browser.md sh": "packages/site/test/in-the-browser.test.ts does it, line by line",
  "docs/hosts.md sh":
    "packages/tools/test/host.test.ts and src/hosts/directory/ start hosts and servers so, at addresses of this machine",
  "docs/other-languages.md python":
    "clients/python/tests/test_examples.py runs that file, which recipes.test.ts compares",
  "docs/other-languages.md sh": "packages/client-suite/test/recipes.test.ts runs each line",
  "docs/two-processes.md sh": "packages/site/test/two-processes.test.ts does it, line by line",
  "docs/validator.md sh": "the test above does it with a program of its own",
  "docs/browsers.md javascript": "settings of Vite, Next.js and Express, which are other projects",
  "docs/browsers.md nginx": "settings of nginx, which is another project",
};

/** Commands of our own, which the tests of `packages/tools` and `packages/inspector` run. */
const OUR_COMMANDS = /^((npm install|npx) dmabuf\b.*\n?)+$/;

test("all code in README.md and docs/ is run, or is said to be something else, and why", () => {
  const others = DOCUMENTS.flatMap((name) => {
    const text = readFileSync(new URL(name, workspace), "utf8");
    const blocks = [...text.matchAll(/^```(.*)\n([^]*?)^```$/gm)];
    assert.equal(blocks.length * 2, text.match(/^ *```/gm)?.length ?? 0, `${name} has a block of another form`);
    // Other tests look at programs and at pieces of files. A text is what is printed.
    const isOther = ([, kind, code]: RegExpMatchArray): boolean =>
      !["ts", "js", "json", "text", ""].includes(kind!) && !(kind === "sh" && OUR_COMMANDS.test(code!));
    return blocks.filter(isOther).map(([, kind]) => `${name} ${kind}`);
  });
  assert.deepEqual([...new Set(others)].sort(), Object.keys(OTHER_CODE).sort());
});

/** The pieces of code that a document has, each below a link to its file. */
function isInItsFile(document: URL, kind: string): void {
  const text = readFileSync(document, "utf8");
  const pieces = [...text.matchAll(new RegExp(`\\]\\(([^)]+)\\):\n\n\`\`\`${kind}\n([^]*?)\`\`\``, "g"))];
  assert.equal(pieces.length, text.split(`\n\`\`\`${kind}\n`).length - 1, "each piece has its file");
  assert.ok(pieces.length > 0);
  for (const [, path, piece] of pieces) {
    // Of JSON the layout is prettier's in the one, and short in the other.
    const compared = (code: string): string => (kind === "json" ? code.replace(/\s/g, "") : code);
    const file = readFileSync(new URL(path!, document), "utf8");
    assert.ok(compared(file).includes(compared(piece!)), `${path} does not have\n${piece}`);
  }
}

test("every piece of code in test/README.md is in the file that is named above it", () => {
  isInItsFile(new URL("test/README.md", root), "ts");
});

test("every piece of configuration in docs/modules.md is in the project that is named above it", () => {
  isInItsFile(new URL("docs/modules.md", workspace), "json");
});

function compiled(source: string): string {
  const program = source.endsWith(".mjs") ? `examples/${source}` : `dist/examples/${source.replace(/\.ts$/, ".js")}`;
  return fileURLToPath(new URL(program, root));
}
