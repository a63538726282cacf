/**
 * Processes that end with this one, in whatever way it ends.
 */
import type { ChildProcess } from "node:child_process";
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { rm } from "node:fs/promises";
import { delimiter, join } from "node:path";
import process from "node:process";

/**
 * Waits for the end of its input, which is this process's: then it kills a group of processes, and removes a folder. Only a
 * process of its own can do so after a SIGKILL.
 */
const GUARD = `cat >/dev/null; kill -s KILL -- "-$1" 2>/dev/null; if [ -n "$2" ]; then rm -rf "$2"; fi`;

/** Kills a group of processes at once, or when this process dies. */
export interface Guard {
  kill(): Promise<void>;
}

/**
 * Guards a process that leads a group of its own, as `detached` makes it.
 *
 * @param folder What is removed after its end.
 */
export function guard(pid: number, folder?: string): Guard {
  const keeper = spawn("/bin/sh", ["-c", GUARD, "guard", String(pid), folder ?? ""], {
    detached: true,
    stdio: ["pipe", "ignore", "ignore"],
  });
  // It keeps no test alive.
  keeper.unref();
  (keeper.stdin as typeof keeper.stdin & { unref(): void }).unref();
  return {
    async kill() {
      const over = ended(keeper);
      keeper.ref();
      keeper.stdin.end();
      await over;
      if (folder !== undefined) await rm(folder, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

/** Resolves when a process has ended. */
function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  return new Promise((resolve) => child.once("exit", () => resolve()));
}

/** Where a program is that shells find by its name. */
export function which(name: string): string | undefined {
  const folders = (process.env["PATH"] ?? "").split(delimiter);
  return folders.map((folder) => join(folder, name)).find((path) => existsSync(path));
}
