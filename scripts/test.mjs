/**
 * Runs groups of tests with Node's own test runner: `node scripts/test.mjs [GROUP...] [-- NODE-OPTION...]`.
 *
 * The sources say which tests there are, so that a compiled test whose source is gone does not run, and a
 * test that was not compiled is an error. Without a group, all of them run.
 */
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { dirname, join, sep } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";

/**
 * `folders` are in `packages/`. `minutes` is how long one file of the group may take before it is killed. A group selects
 * at least one file. `before` is a script that makes what the group needs, however long it takes; with status 3 it has
 * said that this cannot be made here, and the group says what that means.
 */
const GROUPS = {
  unit: { folders: ["dmabuf/src", "demo/src", "bench/src"], minutes: 2 },
  project: { folders: ["dmabuf/test"], flat: true, minutes: 2 },
  conformance: { folders: ["dmabuf/test/conformance"], minutes: 2 },
  interleavings: { folders: ["dmabuf/test/model"], minutes: 5 },
  fuzz: { folders: ["dmabuf/test/fuzz"], minutes: 2 },
  stress: { folders: ["dmabuf/test/workers"], minutes: 5 },
  process: { folders: ["dmabuf/test/process"], minutes: 5 },
  programs: { folders: ["demo/test", "bench/test"], minutes: 5 },
  validator: { folders: ["dmabuf/test/validator"], minutes: 3 },
  libraries: { folders: ["dmabuf/test/libraries"], minutes: 3 },
  browser: { folders: ["dmabuf/test/browser"], minutes: 10 },
  kernel: { folders: ["dmabuf/test/kernel"], minutes: 20, before: "dmabuf/test/kernel/lab/build.sh" },
};

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const PACKAGES = "packages";

process.exitCode = main(process.argv.slice(2));

function main(args) {
  const end = args.includes("--") ? args.indexOf("--") : args.length;
  const names = end === 0 ? Object.keys(GROUPS) : args.slice(0, end);
  const unknown = names.filter((name) => !Object.hasOwn(GROUPS, name));
  if (unknown.length > 0) return fail(`No group ${unknown.join(", ")}: there are ${Object.keys(GROUPS).join(", ")}`);

  const grouped = new Set(Object.values(GROUPS).flatMap(testsOf));
  const strays = testsOf({ folders: readdirSync(join(root, PACKAGES)) }).filter((source) => !grouped.has(source));
  if (strays.length > 0) return fail(`In no group: ${strays.join(", ")}`);

  const files = [];
  for (const name of names) {
    const sources = testsOf(GROUPS[name]);
    if (sources.length === 0) return fail(`Group ${name} selects no file`);
    console.log(`${name}: ${countFiles(sources.length)}`);
    files.push(...sources.map(compiled));
  }
  const missing = files.filter((file) => !existsSync(join(root, file)));
  if (missing.length > 0) return fail(`Not compiled: ${missing.join(", ")} (npm run build)`);
  if (files.length === 0) return fail("No test selected");

  for (const before of names.map((name) => GROUPS[name].before).filter((script) => script !== undefined)) {
    const { status, signal } = spawnSync(join(root, PACKAGES, before), {
      cwd: root,
      stdio: ["ignore", "ignore", "inherit"],
    });
    if (signal !== null || (status !== null && status !== 0 && status !== 3)) return fail(`${before} failed`);
  }

  console.log(`Running ${countFiles(files.length)} on Node ${process.versions.node}`);
  const watchdog = Math.max(...names.map((name) => GROUPS[name].minutes)) * 60_000;
  const options = ["--test", "--test-reporter=spec", `--test-timeout=${watchdog}`, ...args.slice(end + 1)];
  const run = spawnSync(process.execPath, [...options, ...files], { cwd: root, stdio: "inherit" });
  return run.status ?? 1;
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
