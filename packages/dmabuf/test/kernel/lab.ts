import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";
import type { InnerTest } from "./reporter.js";

/** A real Linux with all kinds of dma-bufs, which runs as an ordinary process and sees this machine's files. */

const ROOT = join(import.meta.dirname, "../../..");
const SCRIPTS = join(ROOT, "test/kernel/lab");
const COMPILED = join(ROOT, "dist/test/kernel");

/** What a run in the lab came to. */
export interface LabRun {
  readonly tests: readonly InnerTest[];
  /** Of the command; 124 if it took too long, or if the lab's kernel ended early. */
  readonly status: number;
  /** All that the command and the kernel printed. */
  readonly output: string;
}

/** Why the lab cannot be built here; `undefined` if it can, or has been. */
export function whyNoLab(): string | undefined {
  if (process.platform !== "linux") return `the kernel lab runs on Linux only, and this is ${process.platform}`;
  const { stdout, error } = spawnSync(join(SCRIPTS, "build.sh"), ["--missing"], { encoding: "utf8" });
  if (error !== undefined) return `the kernel lab's build script does not run: ${error.message}`;
  return stdout === "" ? undefined : `no kernel lab: ${stdout.trim().replaceAll("\n", "; ")}`;
}

/** Builds the lab if it is not there; tells of each step. @throws {Error} if that fails. */
export async function buildLab(tell: (line: string) => void): Promise<void> {
  const build = spawn(join(SCRIPTS, "build.sh"), { stdio: ["ignore", "ignore", "pipe"] });
  const ended = new Promise<number | null>((resolve) => void build.on("close", resolve));
  const last: string[] = [];
  for await (const line of createInterface({ input: build.stderr })) {
    tell(line);
    last.push(line);
    if (last.length > 30) last.shift();
  }
  const status = await ended;
  if (status !== 0) throw new Error(`The kernel lab could not be built (status ${status}):\n${last.join("\n")}`);
}

/**
 * Boots the lab once and runs compiled suites of `test/kernel/` in one Node.js there.
 *
 * @param suites Names in `test/kernel/suites/`, as `fences.suite`.
 * @param seconds How long it may take before it is killed.
 */
export async function runSuitesInLab(suites: readonly string[], seconds: number): Promise<LabRun> {
  const folder = mkdtempSync(join(tmpdir(), "dmabuf-lab-"));
  try {
    const file = join(folder, "report");
    const reporter = pathToFileURL(join(COMPILED, "reporter.js")).href;
    const options = ["--expose-gc", `--test-reporter=${reporter}`, `--test-reporter-destination=${file}`];
    const modules = suites.map((suite) => join(COMPILED, "suites", `${suite}.js`));
    const command = [process.execPath, ...options, join(COMPILED, "inside.js"), ...modules];
    const { status, output } = await runInLab(command, seconds);
    return { tests: readReport(file), status, output };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Boots the lab and runs one command as root there, in the project's folder. */
async function runInLab(command: readonly string[], seconds: number): Promise<Omit<LabRun, "tests">> {
  const env: NodeJS.ProcessEnv = { ...process.env, LAB_SECONDS: String(seconds) };
  // A test's own process tells the runner of its tests on a channel that is not for this one.
  delete env["NODE_TEST_CONTEXT"];
  const lab = spawn(join(SCRIPTS, "run.sh"), command, { cwd: ROOT, env, stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  for (const stream of [lab.stdout, lab.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => void (output += text));
  }
  const status = await new Promise<number | null>((resolve) => void lab.on("close", resolve));
  return { status: status ?? 124, output };
}

function readReport(file: string): InnerTest[] {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch {
    return [];
  }
  // The last line may have been cut by the end of the lab.
  const lines = text.slice(0, text.lastIndexOf("\n") + 1).split("\n");
  return lines.filter((line) => line !== "").map((line) => JSON.parse(line) as InnerTest);
}
