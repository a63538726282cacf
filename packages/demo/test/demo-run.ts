/** Runs the demo as a process, for the tests of a file, and finds what it leaves. */
import assert from "node:assert/strict";
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach } from "node:test";

export const ROOT = join(import.meta.dirname, "..", "..");
export const CLIP = join(ROOT, "assets", "clip.mp4");
const MAIN = join(ROOT, "dist", "src", "main.js");
const NAMESPACES = "/run/netns";
const WATCHDOG = 150_000;

/** Every process of a run has this directory in its environment, and makes its temporary files in it. */
export const temporary = mkdtempSync(join(tmpdir(), "dmabuf-test-"));
export const inputs = mkdtempSync(join(tmpdir(), "dmabuf-inputs-"));

after(() => {
  rmSync(temporary, { recursive: true });
  rmSync(inputs, { recursive: true });
});

const children = new Set<ChildProcess>();
/** The numbers of all of them, also when they have ended. */
const owners = new Set<string>();
afterEach(() => {
  // Of a test that failed in the middle; the demo's own children then end by themselves.
  for (const child of children) child.kill("SIGKILL");
  children.clear();
});

export interface Result {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Running {
  readonly child: ChildProcess;
  readonly result: Promise<Result>;
  /** What it has said on standard error so far. */
  said(): string;
}

/** @param before A program that runs it, with its arguments. */
export function start(
  args: readonly string[],
  environment: Record<string, string> = {},
  before: readonly string[] = [],
): Running {
  const [program, ...all] = [...before, process.execPath, MAIN, ...args];
  const child = spawn(program!, all, {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, TMPDIR: temporary, ...environment },
    timeout: WATCHDOG,
    killSignal: "SIGKILL",
  });
  children.add(child);
  owners.add(String(child.pid));
  let [stdout, stderr] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  const result = once(child, "close").then(([code]) => ({ code: code as number | null, stdout, stderr }));
  return { child, result, said: () => stderr };
}

export async function run(...args: string[]): Promise<Result> {
  return start(args).result;
}

/** The processes that a run has started or left behind, and their command lines. */
function processes(): ReadonlyMap<number, string> {
  const left = new Map<number, string>();
  for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
    try {
      const environment = readFileSync(`/proc/${pid}/environ`, "utf8").split("\0");
      const command = readFileSync(`/proc/${pid}/cmdline`, "utf8");
      if (environment.includes(`TMPDIR=${temporary}`)) left.set(Number(pid), command);
    } catch {
      // It has ended.
    }
  }
  return left;
}

/** Command lines of the processes that a run left behind. */
export function leftProcesses(): string[] {
  return [...processes().values()];
}

/** The first process whose command line contains a text. */
export function processWith(text: string): number | undefined {
  return [...processes()].find(([, command]) => command.includes(text))?.[0];
}

/** The network namespaces that runs have made, or left behind. */
export function leftHosts(): string[] {
  const all = existsSync(NAMESPACES) ? readdirSync(NAMESPACES) : [];
  return all.filter((name) => owners.has(/^dmabuf-(\d+)-/.exec(name)?.[1] ?? ""));
}

export function assertNothingLeft(): void {
  assert.deepEqual(leftProcesses(), []);
  assert.deepEqual(leftHosts(), []);
  assert.deepEqual(readdirSync(temporary), []);
}

export function input(name: string, bytes: Uint8Array | string): string {
  const path = join(inputs, name);
  writeFileSync(path, bytes);
  return path;
}

export async function until(condition: () => boolean, running: Running): Promise<void> {
  while (!condition()) {
    if (running.child.exitCode !== null) throw new Error(`The demo ended: ${running.said()}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
