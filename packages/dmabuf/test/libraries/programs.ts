import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { text } from "node:stream/consumers";
import { capabilities } from "../../src/node/index.js";
import { missing, type EngineName } from "dmabuf-browsers";

/** The programs of `libraries/`, at the workspace's root, which show dmabuf beside libraries that people use. */

const WORKSPACE = join(import.meta.dirname, "../../../../..");
const FOLDER = join(WORKSPACE, "libraries");

/** What a program needs that may not be there. */
export interface Needs {
  /** Packages of `libraries/package.json`. */
  readonly packages?: readonly string[];
  /** Programs that are found by `PATH`. */
  readonly commands?: readonly string[];
  readonly engine?: EngineName;
  readonly processes?: boolean;
}

/** What is missing here for a program, with what brings it; nothing if it can run. */
export function whyNot({ packages = [], commands = [], engine, processes = false }: Needs): string[] {
  const why = [
    ...packages.filter((name) => !isInstalled(name)).map((name) => `${name} (npm ci --prefix libraries)`),
    ...commands.filter((name) => !isCommand(name)).map((name) => `${name} (apt-get install ${name})`),
  ];
  const lack = engine === undefined ? undefined : missing(engine);
  if (lack !== undefined) why.push(lack);
  if (processes) why.push(...capabilities().missing.map(({ name, reason }) => `${name}: ${reason}`));
  return why;
}

function isInstalled(name: string): boolean {
  return existsSync(join(FOLDER, "node_modules", name, "package.json"));
}

function isCommand(name: string): boolean {
  return (process.env["PATH"] ?? "").split(delimiter).some((folder) => existsSync(join(folder, name)));
}

/** What a program has said. */
export interface Said {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export async function runProgram(name: string, args: readonly string[] = []): Promise<Said> {
  const child = spawn(process.execPath, [join(FOLDER, name), ...args], {
    timeout: 120_000,
    killSignal: "SIGKILL",
    stdio: ["ignore", "pipe", "pipe"],
  });
  const ended = once(child, "close") as Promise<[number | null]>;
  const [stdout, stderr, [status]] = await Promise.all([text(child.stdout), text(child.stderr), ended]);
  return { status, stdout, stderr };
}

/** The source of a program. */
export function sourceOf(name: string): string {
  return readFileSync(join(FOLDER, name), "utf8");
}

/** The version of a package that the programs are run with. */
export function versionOf(name: string): string {
  const { dependencies } = JSON.parse(sourceOf("package.json")) as { dependencies: Record<string, string> };
  return dependencies[name]!;
}

/** The document with the tables. */
export const DOCUMENT = join(WORKSPACE, "docs/which-domain.md");
