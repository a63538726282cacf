/**
 * Runs groups of tests with Node's own test runner: `node scripts/test.mjs [GROUP...] [-- NODE-OPTION...]`.
 *
 * The sources say which tests there are, so that a compiled test whose source is gone does not run, and a
 * test that was not compiled is an error. Without a group, all of them run, one after the other. A group that fails
 * does not keep the others from running; the end is each failure once more, and a table of all groups.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { dirname, join, sep } from "node:path";
import { performance } from "node:perf_hooks";
import process from "node:process";
import { fileURLToPath } from "node:url";

/**
 * `folders` are in `packages/`. `minutes` is how long one file of the group may take before it is killed: on a machine that
 * is ten times slower, none needs as long. A group selects at least one file. A group that `fills` the machine has as many
 * files at a time as there are processors: files of one thread each, or files that wait for most of their time. Else it is one
 * fewer, as Node.js has it; of one whose files want the machine `alone`, one at a time. `before` is a script that makes what
 * the group needs, however long it takes; with status 3 it has said that this cannot be made here, and the group says what
 * that means. A group is `tried` twice if its tests wait for browsers: a file that fails runs once more, and the end tells the
 * failure all the same. What is true of dmabuf itself has groups that run once.
 */
const GROUPS = {
  unit: { folders: ["dmabuf/src", "demo/src", "bench/src", "inspector/src", "tools/src"], minutes: 5, fills: true },
  project: { folders: ["dmabuf/test"], flat: true, minutes: 10, fills: true },
  conformance: { folders: ["dmabuf/test/conformance"], minutes: 5, fills: true },
  interleavings: { folders: ["dmabuf/test/model"], minutes: 10, fills: true },
  fuzz: { folders: ["dmabuf/test/fuzz"], minutes: 5, fills: true },
  stress: { folders: ["dmabuf/test/workers"], minutes: 10 },
  process: { folders: ["dmabuf/test/process"], minutes: 20, fills: true },
  observing: { folders: ["dmabuf/test/observing"], minutes: 10, fills: true },
  visitors: { folders: ["dmabuf/test/visitors"], minutes: 10, fills: true },
  hosts: { folders: ["host-lab/test", "dmabuf/test/hosts"], minutes: 15, fills: true },
  programs: { folders: ["demo/test", "bench/test", "tools/test"], minutes: 10 },
  validator: { folders: ["dmabuf/test/validator"], minutes: 10 },
  libraries: { folders: ["dmabuf/test/libraries"], minutes: 5 },
  clients: { folders: ["client-suite/test"], minutes: 10 },
  engines: { folders: ["browsers/test"], minutes: 10, tried: 2 },
  browser: { folders: ["dmabuf/test/browser"], minutes: 20, fills: true, tried: 2 },
  inspector: { folders: ["inspector/test"], minutes: 10, tried: 2 },
  site: { folders: ["site/test"], minutes: 15, tried: 2 },
  webdemo: { folders: ["web-demo/test"], minutes: 15, alone: true, tried: 2 },
  kernel: { folders: ["dmabuf/test/kernel"], minutes: 20, before: "dmabuf/test/kernel/lab/build.sh" },
};

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const PACKAGES = "packages";
const END = new URL("test-end.mjs", import.meta.url).href;
const FAILURES = new URL("test-failures.mjs", import.meta.url).href;

process.exitCode = main(process.argv.slice(2));

function main(args) {
  const end = args.includes("--") ? args.indexOf("--") : args.length;
  const names = end === 0 ? Object.keys(GROUPS) : args.slice(0, end);
  const unknown = names.filter((name) => !Object.hasOwn(GROUPS, name));
  if (unknown.length > 0) return fail(`No group ${unknown.join(", ")}: there are ${Object.keys(GROUPS).join(", ")}`);

  const grouped = new Set(Object.values(GROUPS).flatMap(testsOf));
  const strays = testsOf({ folders: readdirSync(join(root, PACKAGES)) }).filter((source) => !grouped.has(source));
  if (strays.length > 0) return fail(`In no group: ${strays.join(", ")}`);

  const groups = names.map((name) => ({ name, ...GROUPS[name], files: testsOf(GROUPS[name]).map(compiled) }));
  const empty = groups.filter(({ files }) => files.length === 0);
  if (empty.length > 0) return fail(`Group ${empty[0].name} selects no file`);
  const missing = groups.flatMap(({ files }) => files).filter((file) => !existsSync(join(root, file)));
  if (missing.length > 0) return fail(`Not compiled: ${missing.join(", ")} (npm run build)`);

  const folder = mkdtempSync(join(tmpdir(), "dmabuf-tests-"));
  const table = groups.map((group) => {
    const start = performance.now();
    const { isOk, failures } = run(group, join(folder, group.name), args.slice(end + 1));
    const seconds = Math.round((performance.now() - start) / 1_000);
    const result = isOk ? (failures.length > 0 ? "ok at the second try" : "ok") : "FAILED";
    return { group: group.name, files: group.files.length, seconds, result, failures };
  });
  for (const { group, failures } of table) for (const told of failures) console.log(`${group}:\n${told}`);
  rmSync(folder, { recursive: true });
  for (const { group, files, seconds, result } of table) {
    console.log(`${group.padEnd(14)}${countFiles(files).padStart(10)}${`${seconds} s`.padStart(8)}  ${result}`);
  }
  return table.every(({ result }) => result !== "FAILED") ? 0 : 1;
}

/** Runs the tests of one group; `report` is a file for the reporter. @returns Also what has failed in each try, as one text. */
function run({ name, files, minutes, fills, alone, before, tried = 1 }, report, options) {
  console.log(`${name}: ${countFiles(files.length)} on Node ${process.versions.node}`);
  if (before !== undefined) {
    const stdio = ["ignore", "ignore", "inherit"];
    const { status, signal } = spawnSync(join(root, PACKAGES, before), { cwd: root, stdio });
    if (signal !== null || (status !== null && status !== 0 && status !== 3))
      return { isOk: fail(`${before} failed`) === 0, failures: [] };
  }
  const all = ["--test", `--test-timeout=${minutes * 60_000}`, `--import=${END}`];
  all.push("--test-reporter=spec", "--test-reporter-destination=stdout");
  all.push(`--test-reporter=${FAILURES}`, `--test-reporter-destination=${report}`);
  if (fills) all.push(`--test-concurrency=${availableParallelism()}`);
  if (alone) all.push("--test-concurrency=1");
  const failures = [];
  let left = files;
  for (let n = 1; n <= tried; n++) {
    if (n > 1) console.log(`${name}: once more: ${left.join(", ")}`);
    const { status } = spawnSync(process.execPath, [...all, ...options, ...left], { cwd: root, stdio: "inherit" });
    if (status === 0) return { isOk: true, failures };
    const lines = existsSync(report) ? readFileSync(report, "utf8").split("\n").filter(Boolean) : [];
    const reported = lines.map((line) => JSON.parse(line));
    failures.push(reported.map(({ told }) => told ?? "").join(""));
    const failed = left.filter((name) => reported.some(({ file }) => file === name));
    // A failure that is of none of the files may be of any.
    if (failed.length > 0) left = failed;
  }
  return { isOk: false, failures };
}

/** The test sources of a group, relative to the workspace, in a stable order. */
function testsOf({ folders, flat }) {
  return folders.flatMap((folder) => {
    const path = join(root, PACKAGES, folder);
    if (!existsSync(path)) return [];
    const entries = readdirSync(path, { recursive: !flat }).filter(isOurs);
    const tests = entries.filter((entry) => entry.endsWith(".test.ts")).sort();
    return tests.map((entry) => join(PACKAGES, folder, entry));
  });
}

function isOurs(entry) {
  return !/(^|\/)(dist|node_modules)\//.test(entry);
}

/** `packages/NAME/dist/src/a.test.js` of `packages/NAME/src/a.test.ts`. */
function compiled(source) {
  const [packages, name, ...rest] = source.split(sep);
  return join(packages, name, "dist", ...rest).replace(/\.ts$/, ".js");
}

function countFiles(count) {
  return count === 1 ? "1 file" : `${count} files`;
}

function fail(message) {
  console.error(`test: ${message}`);
  return 1;
}
