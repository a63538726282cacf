/**
 * A reader of "Two processes in five minutes" gets what the page says. Its commands are typed into two shells and its programs
 * saved as it says, in an empty folder, with the packed library.
 */
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { performance } from "node:perf_hooks";
import { test, type TestContext } from "node:test";
import { capabilities } from "dmabuf/node";
import { REPOSITORY } from "../src/pages.js";
import { REAL, registryWithLibrary } from "./registry.js";

/** The numbered sections, which are the steps. */
const STEPS = readFileSync(join(REPOSITORY, "docs/two-processes.md"), "utf8")
  .split(/^## (?=\d)/m)
  .slice(1)
  .join("")
  .split(/^## (?!\d)/m)[0]!;

/** What is typed: `{ terminal: "first", lines: ["npm init -y"] }`. */
const COMMANDS = Array.from(
  STEPS.matchAll(/the (first|second) [^`]*?:\n\n```sh\n(.*?)```/gs),
  ([, terminal, text]) => ({
    terminal: terminal!,
    lines: text!.trim().split("\n"),
  }),
);
const FILES = new Map(
  Array.from(STEPS.matchAll(/this as `(.*?)`:\n\n```js\n(.*?)```/gs), ([, name, text]) => [name!, text!]),
);

/** Without what processes need, or without the registry, there is nothing to follow; where everything is tested, that fails. */
function reasonToSkip(): string | false {
  const missing = capabilities().missing.map(({ name, reason }) => `${name}: ${reason}`);
  if (missing.length > 0) return missing.join("; ");
  const ping = spawnSync("npm", ["ping", "--fetch-retries=0"], { stdio: "ignore", timeout: 20_000 });
  return ping.status === 0 || process.env["CI"] === "true" ? false : `no registry at ${REAL}`;
}

/** A terminal: what is typed into it, and what is said there. */
function terminal(t: TestContext, cwd: string, env: NodeJS.ProcessEnv) {
  const shell = spawn("bash", { cwd, env, stdio: ["pipe", "pipe", "pipe"] });
  t.after(() => shell.kill("SIGKILL"));
  let said = "";
  const heard = new Set<() => void>();
  for (const stream of [shell.stdout, shell.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      said += text;
      for (const look of heard) look();
    });
  }
  const says = (what: RegExp, from: number): Promise<number> =>
    new Promise((resolve) => {
      const look = (): void => {
        const match = what.exec(said.slice(from));
        if (match === null) return;
        heard.delete(look);
        resolve(from + match.index + match[0].length);
      };
      heard.add(look);
      look();
    });
  return {
    get said() {
      return said;
    },
    /** Resolves when the shell has said so, after all that it has said until now. */
    says: (what: RegExp) => says(what, said.length),
    type: (line: string) => shell.stdin.write(`${line}\n`),
    /** Types a command, and waits for its end. */
    async run(line: string): Promise<void> {
      const from = said.length;
      shell.stdin.write(`${line}\necho "ended: $?"\n`);
      await says(/ended: \d+\n/, from);
      assert.match(said.slice(from), /ended: 0\n$/, said.slice(from));
    },
    /** The programs that run in it. */
    programs: () => readFileSync(`/proc/${shell.pid}/task/${shell.pid}/children`, "utf8").trim().split(" ").map(Number),
  };
}

test("the page counts its terminals, commands and files rightly", () => {
  const words = ["no", "one", "two", "three", "four", "five", "six"];
  const counted = [
    new Set(COMMANDS.map(({ terminal }) => terminal)).size,
    COMMANDS.flatMap(({ lines }) => lines).length,
    FILES.size,
  ];
  const [terminals, commands, files] = counted.map((count) => words[count]);
  const page = readFileSync(join(REPOSITORY, "docs/two-processes.md"), "utf8").replaceAll(/\s+/g, " ");
  assert.match(page, new RegExp(`${terminals} terminals, ${commands} commands and ${files} files`));
});

test(
  "its commands and programs do what the page says, also when the receiver is killed",
  { timeout: 800_000 },
  async (t) => {
    const reason = reasonToSkip();
    if (reason !== false) return t.skip(reason);
    const folder = mkdtempSync(join(tmpdir(), "dmabuf-two-processes-"));
    const packed = mkdtempSync(join(tmpdir(), "dmabuf-packed-"));
    t.after(() => [folder, packed].forEach((path) => rmSync(path, { recursive: true })));
    const registry = await registryWithLibrary(packed);
    t.after(() => registry[Symbol.asyncDispose]());
    // What npm tells its scripts is not what a reader's shell has.
    const own = Object.entries(process.env).filter(([name]) => !/^(npm_|NODE_)/i.test(name));
    const env = {
      ...Object.fromEntries(own),
      npm_config_registry: registry.address,
      npm_config_prefer_offline: "true",
    };

    const begin = performance.now();
    const [install, send, receive] = COMMANDS;
    const first = terminal(t, folder, env);
    for (const line of install!.lines) await first.run(line);
    const project = join(folder, "frames");
    for (const [name, text] of FILES) writeFileSync(join(project, name), text);

    const waits = first.says(/Waiting for node receiver\.mjs/);
    const ends = first.run(send!.lines[0]!);
    await waits;
    const second = terminal(t, project, env);
    const frame = second.says(/^frame .*\n/m);
    second.type(receive!.lines[0]!);
    await frame;
    t.diagnostic(
      `one click, and ${((performance.now() - begin) / 1000).toFixed(1)} s for the commands until the first frame`,
    );

    const killed = second.says(/Killed/);
    for (const program of second.programs()) process.kill(program, "SIGKILL");
    await killed;
    // A program that is killed leaves the shell's input, a socket here, as no shell can read it: only a terminal's is repaired.
    const again = terminal(t, project, env);
    await again.run(receive!.lines[0]!);
    await ends;
    assert.match(first.said, /sent frame 900\n/);
    const lines = `${second.said}${again.said}`.split("\n").filter((line) => line.startsWith("frame "));
    assert.ok(lines.length >= 2, again.said);
    for (const line of lines) {
      const [, sequence, value] = /^frame (\d+) is full of (\d+) after [\d.]+ ms, 0 bytes copied$/.exec(line) ?? [];
      assert.equal(Number(value), Number(sequence) % 256, line);
    }
  },
);
