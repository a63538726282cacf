import assert from "node:assert/strict";
import { spawnSync, type SpawnSyncReturns } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

/** The client in Python: its own tests, its types, and the suite of all clients. */

const HOME = fileURLToPath(new URL("../../../../clients/python/", import.meta.url));
const SUITE = fileURLToPath(new URL("../src/main.js", import.meta.url));
/** Debian's, which has Debian's packages; else that of the path. */
const PYTHON = process.env["DMABUF_PYTHON"] ?? (existsSync("/usr/bin/python3") ? "/usr/bin/python3" : "python3");
const LIMITED = { timeout: 540_000 };

function run(program: string, ...rest: readonly string[]): SpawnSyncReturns<string> {
  const env = { ...process.env, PYTHONPATH: join(HOME, "src"), PYTHONDONTWRITEBYTECODE: "1" };
  const options = { cwd: HOME, env, encoding: "utf8", timeout: 500_000, killSignal: "SIGKILL" } as const;
  return spawnSync(program, rest, options);
}

/** Why something cannot run here; with CI all of it is installed, and its lack is a failure. */
function missing(what: string, isThere: boolean): string | false {
  return !isThere && process.env["CI"] !== "true" && `Missing here: ${what}`;
}

const NO_PYTHON = missing("python3 (Debian: python3)", run(PYTHON, "--version").status === 0);
const NO_MYPY = missing("mypy (Debian: mypy)", run("mypy", "--version").status === 0);

test("the Python client passes its own tests", { ...LIMITED, skip: NO_PYTHON }, (t) => {
  const { status, stderr } = run(PYTHON, "-W", "error", "-X", "faulthandler", "-m", "unittest", "discover", "-t", ".");
  for (const [, reason] of stderr.matchAll(/skipped '(.*)'/g)) t.diagnostic(reason!);
  assert.equal(status, 0, stderr);
});

test("the Python client passes the suite of all clients", { ...LIMITED, skip: NO_PYTHON }, () => {
  const { status, stdout, stderr } = run(process.execPath, SUITE, "--", PYTHON, join(HOME, "tests/adapter.py"));
  assert.equal(status, 0, `${stdout}\n${stderr}`);
});

test("the Python client's types are whole, for Python 3.9", { ...LIMITED, skip: NO_MYPY }, () => {
  const { status, stdout } = run("mypy", "--cache-dir=/dev/null", "src/dmabuf", "tests", "examples");
  assert.equal(status, 0, stdout);
});
