/**
 * Installs the packed library into an empty folder with each package manager, and runs it there. Needs the registry.
 *
 * `node scripts/try-install.mjs [npm|pnpm|yarn|bun ...]`
 */
import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";

/** How each is called, and what it is asked to do with the archive. */
const MANAGERS = {
  npm: [["npm"], ["install", "--no-audit", "--no-fund"]],
  pnpm: [["npx", "--yes", "pnpm@10"], ["add"]],
  yarn: [["npx", "--yes", "yarn@1"], ["add"]],
  bun: [["npx", "--yes", "bun@1"], ["add"]],
};

const PROGRAM = `
import { Domain } from "dmabuf";
import { capabilities, ProcessDomain } from "dmabuf/node";
Domain.create().close();
const { processes, missing } = capabilities();
if (processes) ProcessDomain.create().close();
console.log(processes ? "processes work" : missing[0].reason);
`;

const library = join(import.meta.dirname, "../packages/dmabuf");
const folder = mkdtempSync(join(tmpdir(), "dmabuf-install-"));
try {
  execFileSync("npm", ["pack", "--pack-destination", folder], { cwd: library, stdio: "ignore" });
  const [archive] = readdirSync(folder);
  const names = process.argv.length > 2 ? process.argv.slice(2) : Object.keys(MANAGERS);
  for (const name of names) tryOut(name, join(folder, archive));
} finally {
  rmSync(folder, { recursive: true });
}

function tryOut(name, archive) {
  const home = join(folder, name);
  mkdirSync(home);
  writeFileSync(
    join(home, "package.json"),
    '{ "name": "user", "version": "1.0.0", "type": "module", "private": true }',
  );
  writeFileSync(join(home, "program.js"), PROGRAM);
  const [[command, ...first], options] = MANAGERS[name];
  const call = (...rest) => spawnSync(command, [...first, ...rest], { cwd: home, encoding: "utf8" });
  const version = call("--version").stdout.trim();
  const add = call(...options, archive);
  const run = spawnSync(process.execPath, ["program.js"], { cwd: home, encoding: "utf8" });
  const size = execFileSync("du", ["-shL", "node_modules"], { cwd: home, encoding: "utf8" }).split("\t")[0];
  console.log(
    `${name} ${version}: status ${add.status}, ${size} in node_modules, ${run.stdout.trim() || run.stderr.trim()}`,
  );
  if (add.status !== 0) console.log(add.stdout, add.stderr);
  if (add.status !== 0 || run.status !== 0) process.exitCode = 1;
}
