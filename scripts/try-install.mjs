/**
 * Installs the packed library into fresh copies of the projects of `scripts/projects/`, each with a package manager, and
 * runs its tests. Needs the registry: without it nothing is tried, which is an error in CI.
 *
 * `node scripts/try-install.mjs [MANAGER:PROJECT ...]`, for instance `bun:modules`; without any, those of the gate.
 */
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import process from "node:process";

const GATE = ["npm:jest", "npm:bundlers", "npm:modules", "pnpm:modules", "npm:typescript", "pnpm:vitest"];

/** How each manager is called, and how it installs what `package.json` says. */
const MANAGERS = {
  npm: [["npm"], ["install", "--no-audit", "--no-fund", "--prefer-offline"]],
  pnpm: [
    ["npx", "--yes", "pnpm@10"],
    ["install", "--prefer-offline"],
  ],
  yarn: [["npx", "--yes", "yarn@1"], ["install"]],
  bun: [["npx", "--yes", "bun@1"], ["install"]],
};

/** What a project says that is neither its fault nor the library's. */
const USUAL = /ExperimentalWarning: VM Modules|--trace-warnings/;

/** Milliseconds for what takes seconds. */
const LIMIT = 300_000;

const PROJECTS = join(import.meta.dirname, "projects");
const library = join(import.meta.dirname, "../packages/dmabuf");

if (spawnSync("npm", ["ping", "--fetch-retries=0"], { stdio: "ignore", timeout: 20_000 }).status === 0) await main();
else {
  console.log("SKIPPED: nothing was installed, because npm's registry cannot be reached");
  if (process.env.CI) process.exitCode = 1;
}

async function main() {
  const folder = mkdtempSync(join(tmpdir(), "dmabuf-install-"));
  try {
    execFileSync("npm", ["pack", "--pack-destination", folder], { cwd: library, stdio: "ignore" });
    const archive = join(folder, "dmabuf.tgz");
    renameSync(join(folder, readdirSync(folder)[0]), archive);
    const tries = process.argv.length > 2 ? process.argv.slice(2) : GATE;
    await Promise.all(Array.from({ length: availableParallelism() }, () => work(tries, folder, archive)));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Does one after the other of what is left. */
async function work(tries, folder, archive) {
  for (let next = tries.shift(); next !== undefined; next = tries.shift()) {
    const [manager, project] = next.split(":");
    const begin = Date.now();
    const fault = await tryOut(manager, project, join(folder, `${manager}-${project}`), archive);
    const seconds = ((Date.now() - begin) / 1000).toFixed(1);
    console.log(`${next}: ${fault ?? "works"} (${seconds} s)`);
    if (fault !== undefined) process.exitCode = 1;
  }
}

/** @returns What went wrong. */
async function tryOut(manager, project, home, archive) {
  cpSync(join(PROJECTS, project), home, { recursive: true });
  const manifest = JSON.parse(readFileSync(join(home, "package.json"), "utf8"));
  // A project may have what an entry needs beside the library, as an optional peer.
  const dependencies = { ...manifest.dependencies, dmabuf: `file:${archive}` };
  writeFileSync(join(home, "package.json"), JSON.stringify({ ...manifest, dependencies }));
  const [[command, ...first], install] = MANAGERS[manager];
  const installed = await run(command, [...first, ...install], home);
  if (installed.status !== 0) return `cannot be installed: ${installed.said}`;
  const tested = await run("npm", ["--silent", "test"], home);
  const strange = tested.said.split("\n").filter((line) => /warn/i.test(line) && !USUAL.test(line));
  return tested.status !== 0 || strange.length > 0 ? `fails: ${tested.said}` : undefined;
}

/** By the Node.js that runs this program. */
async function run(command, options, cwd) {
  const path = `${dirname(process.execPath)}${delimiter}${process.env.PATH}`;
  const child = spawn(command, options, {
    cwd,
    env: { ...process.env, PATH: path },
    stdio: ["ignore", "pipe", "pipe"],
    timeout: LIMIT,
  });
  let said = "";
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", (text) => (said += text));
  const status = await new Promise((resolve) => child.on("error", resolve).on("close", resolve));
  return { status, said };
}
