/** A reader who does what a page says: saves its files, and types its commands in an empty folder, with the packed library. */
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { REPOSITORY } from "../src/pages.js";
import { REAL, registryWithLibrary } from "./registry.js";

/** The numbered sections of a page, which are its steps. */
export function stepsOf(page: string): string {
  return readFileSync(join(REPOSITORY, page), "utf8")
    .split(/^## (?=\d)/m)
    .slice(1)
    .join("")
    .split(/^## (?!\d)/m)[0]!;
}

/** The files to be saved, by their names. */
export function filesIn(steps: string): Map<string, string> {
  const files = steps.matchAll(/this as `([^`]*?)`[^`]*?\n\n```(?:js|html)\n(.*?)```/gs);
  return new Map(Array.from(files, ([, name, text]) => [name!, text!]));
}

/** Without the registry there is nothing to follow; where everything is tested, that fails. */
export function noRegistry(): string | false {
  const ping = spawnSync("npm", ["ping", "--fetch-retries=0"], { stdio: "ignore", timeout: 20_000 });
  return ping.status === 0 || process.env["CI"] === "true" ? false : `no registry at ${REAL}`;
}

/** An empty folder, and the environment of a shell whose npm gets the packed library. */
export async function readersFolder(t: TestContext): Promise<{ folder: string; env: NodeJS.ProcessEnv }> {
  const folder = mkdtempSync(join(tmpdir(), "dmabuf-reader-"));
  const packed = mkdtempSync(join(tmpdir(), "dmabuf-packed-"));
  t.after(() => [folder, packed].forEach((path) => rmSync(path, { recursive: true, force: true })));
  const registry = await registryWithLibrary(packed);
  t.after(() => registry[Symbol.asyncDispose]());
  // What npm tells its scripts is not what a reader's shell has. With CI, programs colour what they say.
  const own = Object.entries(process.env).filter(([name]) => !/^(npm_|NODE_|CI$|FORCE_COLOR$)/i.test(name));
  const env = {
    ...Object.fromEntries(own),
    NO_COLOR: "1",
    npm_config_registry: registry.address,
    npm_config_prefer_offline: "true",
  };
  return { folder, env };
}

/** A terminal: what is typed into it, and what is said there. */
export function terminal(t: TestContext, cwd: string, env: NodeJS.ProcessEnv) {
  // A group of its own: what runs in it has children of its own, too.
  const shell = spawn("bash", { cwd, env, stdio: ["pipe", "pipe", "pipe"], detached: true });
  t.after(() => {
    try {
      process.kill(-shell.pid!, "SIGKILL");
    } catch {
      // All of it has ended by itself.
    }
  });
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
