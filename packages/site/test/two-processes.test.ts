/**
 * A reader of "Two processes in five minutes" gets what the page says. Its commands are typed into two shells and its programs
 * saved as it says, in an empty folder, with the packed library.
 */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { performance } from "node:perf_hooks";
import { test } from "node:test";
import { capabilities } from "dmabuf/node";
import { REPOSITORY } from "../src/pages.js";
import { filesIn, noRegistry, readersFolder, stepsOf, terminal } from "./reader.js";

const STEPS = stepsOf("docs/two-processes.md");

/** What is typed: `{ terminal: "first", lines: ["npm init -y"] }`. */
const COMMANDS = Array.from(
  STEPS.matchAll(/the (first|second) [^`]*?:\n\n```sh\n(.*?)```/gs),
  ([, terminal, text]) => ({
    terminal: terminal!,
    lines: text!.trim().split("\n"),
  }),
);
const FILES = filesIn(STEPS);

/** Without what processes need, there is nothing to follow; where everything is tested, that fails. */
function reasonToSkip(): string | false {
  const missing = capabilities().missing.map(({ name, reason }) => `${name}: ${reason}`);
  return missing.length > 0 ? missing.join("; ") : noRegistry();
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
    const { folder, env } = await readersFolder(t);
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
