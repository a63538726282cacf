/** Runs the command line as a process, for the tests of a file, and the programs that it looks at. */
import assert from "node:assert/strict";
import { fork, spawn, type ChildProcess } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import type { TestContext } from "node:test";
import type { Ready } from "./domain-program.js";

/** What can hang is ended after that: milliseconds. */
export const WATCHDOG = 120_000;
export const LIMITED = { timeout: WATCHDOG };

/** The library's program, which forwards to the tools. */
export const DMABUF = join(dirname(createRequire(import.meta.url).resolve("dmabuf")), "cli", "main.js");
const PROGRAM = fileURLToPath(new URL("domain-program.js", import.meta.url));

/** Without what makes colours, or keeps them away. */
export const PLAIN_ENVIRONMENT: Readonly<Record<string, string>> = Object.fromEntries(
  Object.entries(process.env).flatMap(([name, value]) =>
    ["CI", "NO_COLOR", "FORCE_COLOR", "NODE_DISABLE_COLORS"].includes(name) ? [] : [[name, value ?? ""]],
  ),
);

export interface Result {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs `dmabuf` to its end, without a terminal. */
export async function dmabuf(...args: readonly string[]): Promise<Result> {
  return run(process.execPath, [DMABUF, ...args]);
}

/** What a command prints with `--json`, if it ends with a code. */
export async function json<T>(code: number, ...args: readonly string[]): Promise<T> {
  const result = await dmabuf(...args, "--json");
  assert.equal(result.code, code, result.stderr);
  return JSON.parse(result.stdout) as T;
}

/** Runs a program to its end, without a terminal. @param hear Is told what it has written so far, whenever that is more. */
export async function run(
  file: string,
  args: readonly string[],
  environment: Readonly<Record<string, string>> = {},
  hear: (stdout: string) => void = () => {},
): Promise<Result> {
  const child = spawn(file, args, {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...PLAIN_ENVIRONMENT, ...environment },
    timeout: WATCHDOG,
    killSignal: "SIGKILL",
  });
  let [stdout, stderr] = ["", ""];
  child.stdout.setEncoding("utf8").on("data", (text: string) => hear((stdout += text)));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  const [code] = (await once(child, "close")) as [number | null];
  return { code, stdout, stderr };
}

/** A process of a domain: see domain-program.ts. */
export interface Shown {
  readonly child: ChildProcess;
  readonly pid: number;
  readonly place: string;
  /** The domain, as its handles name it. */
  readonly domain: string;
  readonly ready: Ready;
}

export async function show(
  t: TestContext,
  role: "camera" | "crowd" | "odd" | "twice",
  environment: Readonly<Record<string, string>> = {},
): Promise<Shown> {
  const place = `@dmabuf tools ${randomUUID()}`;
  const child = forked(t, role, place, environment);
  return shown(child, place);
}

/** The two processes of one domain: "camera" has made it, and "detector" waits for what that holds. */
export async function showTwo(t: TestContext): Promise<{ readonly camera: Shown; readonly detector: Shown }> {
  const camera = await show(t, "camera");
  const child = forked(t, "detector", camera.place);
  child.send(camera.ready.handles);
  return { camera, detector: await shown(child, camera.place) };
}

function forked(
  t: TestContext,
  role: string,
  place: string,
  environment: Readonly<Record<string, string>> = {},
): ChildProcess {
  const env = { ...PLAIN_ENVIRONMENT, ...environment };
  const child = fork(PROGRAM, [role, place], { serialization: "advanced", env });
  t.after(() => child.kill("SIGKILL"));
  return child;
}

async function shown(child: ChildProcess, place: string): Promise<Shown> {
  const [ready] = (await once(child, "message")) as [Ready];
  return { child, pid: child.pid!, place, domain: ready.domains[0]!, ready };
}

/** Stops a process, as Ctrl-Z does. */
export async function stop({ child, pid }: Shown): Promise<void> {
  child.kill("SIGSTOP");
  await until(() => /\) T /.test(readFileSync(`/proc/${pid}/stat`, "latin1")));
}

export async function kill({ child }: Shown): Promise<void> {
  const exit = once(child, "exit");
  child.kill("SIGKILL");
  await exit;
}

/** Looks again and again. @throws {Error} If it is not so for half as long as a test may take. */
export async function until(
  isSo: () => boolean | Promise<boolean>,
  message = (): string => "It is still not so",
): Promise<void> {
  const end = Date.now() + WATCHDOG / 2;
  while (!(await isSo())) {
    if (Date.now() > end) throw new Error(message());
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
