/** The completion scripts in real shells, as a person uses them: the Tab key in a terminal. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { dmabuf, DMABUF, LIMITED, show } from "./processes.js";
import { Terminal } from "./terminal.js";

/** Ctrl-U. */
const CLEAR_LINE = "\u0015";
const SIZE = { columns: 100, rows: 30 };

/** A shell without the person's own files, and how it takes the script. */
interface Shell {
  readonly name: string;
  readonly args: readonly string[];
  /** What is typed first. */
  readonly setUp: string;
}

const SHELLS: readonly Shell[] = [
  {
    name: "bash",
    args: ["--norc", "--noprofile", "-i"],
    setUp: "bind 'set enable-bracketed-paste off'; source <(dmabuf completion bash)",
  },
  {
    name: "zsh",
    args: ["-f", "-i"],
    setUp: "autoload -Uz compinit && compinit -u -D; source <(dmabuf completion zsh)",
  },
  { name: "fish", args: ["--no-config", "-i"], setUp: "dmabuf completion fish | source" },
];

function isInstalled(shell: string): boolean {
  return spawnSync(shell, ["-c", "exit 0"]).status === 0;
}

/** A folder for PATH in which `dmabuf` is the program, as npm would link it. */
function withProgram(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "dmabuf-path-"));
  t.after(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, "dmabuf"), `#!/bin/sh\nexec ${process.execPath} ${DMABUF} "$@"\n`, { mode: 0o755 });
  symlinkSync(process.execPath, join(folder, "node"));
  return folder;
}

for (const { name, args, setUp } of SHELLS) {
  test(
    `${name} completes commands, options and the domains that there are`,
    { ...LIMITED, skip: isInstalled(name) ? false : `${name} is not installed here` },
    async (t) => {
      const { pid, domain } = await show(t, "camera");
      const folder = withProgram(t);
      const environment = { PATH: `${folder}:${process.env["PATH"]}`, PS1: "$ ", HOME: folder, LC_ALL: "C.UTF-8" };
      const terminal = new Terminal(t, name, args, SIZE, environment);
      // The quotes are not in what is printed.
      terminal.press(`${setUp}; echo rea''dy\r`);
      await terminal.shows(/^ready$/m);
      terminal.press("dmabuf expl\t");
      await terminal.shows(/dmabuf explain$/m);
      terminal.press("--lim\t");
      await terminal.shows(/dmabuf explain --limit$/m);
      terminal.press("5 -d ");
      terminal.press(`${domain.slice(0, 6)}\t`);
      await terminal.shows(new RegExp(`-d ${domain.slice(0, 8)}`));
      terminal.press(CLEAR_LINE);
      terminal.press(`dmabuf bufinfo ${String(pid).slice(0, -1)}\t\t`);
      await terminal.shows(new RegExp(`${pid}`));
      terminal.press(CLEAR_LINE);
      terminal.press("dmabuf completion f\t");
      await terminal.shows(/dmabuf completion fish/);
    },
  );
}

test(
  "what a shell asks for is answered with commands, also those of other packages, and no other shell is offered",
  LIMITED,
  async () => {
    const words = async (...given: string[]): Promise<string[]> => {
      const { code, stdout } = await dmabuf("complete", "--", ...given);
      assert.equal(code, 0);
      return stdout
        .trimEnd()
        .split("\n")
        .map((line) => line.split("\t")[0]!);
    };
    const commands = await words("");
    for (const command of ["ls", "bufinfo", "fences", "streams", "top", "explain", "inspect", "doctor", "demo"]) {
      assert.ok(commands.includes(command), command);
    }
    assert.deepEqual((await words("completion", "")).slice(0, -1), ["bash", "zsh", "fish"]);
    assert.deepEqual((await words("top", "--view", "")).slice(0, -1), ["buffers", "streams", "fences", "agents"]);
  },
);
