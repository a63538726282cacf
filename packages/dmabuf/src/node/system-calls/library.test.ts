import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { DmaBufError } from "../../errors.js";
import type { Capabilities } from "../capabilities.js";
import { callError, nativeFunction, numberedCall, uninterrupted, whyUnavailable } from "./library.js";

const library = new URL("./library.js", import.meta.url).href;
const capabilities = new URL("../capabilities.js", import.meta.url).href;

// library.3
test("a failed call is a DmaBufError with code, errno and syscall, whose message says what was attempted", () => {
  const close = nativeFunction("int close(int fd)");
  assert.equal(close(-1), -1);
  const error = callError(9, "close", "Cannot close descriptor -1");
  assert.ok(error instanceof DmaBufError);
  assert.deepEqual([error.code, error.errno, error.syscall], ["EBADF", 9, "close"]);
  assert.match(error.message, /^EBADF: Cannot close descriptor -1: close\(\) failed$/);
});

test("an errno without a name is EIO, and its number is in the message", () => {
  const error = callError(131, "ioctl", "Cannot do it");
  assert.equal(error.code, "EIO");
  assert.match(error.message, /errno 131/);
});

test("uninterrupted() repeats no call that fails for another reason", () => {
  const close = nativeFunction("int close(int fd)");
  let calls = 0;
  const result = uninterrupted(() => {
    calls += 1;
    return close(-1);
  });
  assert.deepEqual([result, calls], [-1, 1]);
});

test("a numbered call returns what the call of the C library returns", () => {
  assert.equal(numberedCall("gettid")(), process.pid, "the main thread has the number of the process");
});

// library.1, library.2
test("on another system importing works, a call fails with ENOSYS, and capabilities() says why", () => {
  const script = `
    Object.defineProperty(process, "platform", { value: "darwin" });
    const { nativeFunction, whyUnavailable } = await import(${JSON.stringify(library)});
    const { capabilities } = await import(${JSON.stringify(capabilities)});
    let code;
    try { nativeFunction("int getpid()")(); } catch (error) { code = error.code; }
    console.log(JSON.stringify([code, whyUnavailable(), capabilities().processes, capabilities().missing]));`;
  const reason = "this system is darwin, not linux";
  assert.deepEqual(JSON.parse(run(script)), ["ENOSYS", reason, false, [{ name: "system calls", reason }]]);
});

test("without koffi importing works, and capabilities() names the package that is missing", () => {
  const script = `
    import Module from "node:module";
    const resolve = Module._resolveFilename;
    Module._resolveFilename = (name, ...rest) =>
      resolve(name.startsWith("@koromix/") ? name.replace("linux", "elsewhere") : name, ...rest);
    const { capabilities } = await import(${JSON.stringify(capabilities)});
    console.log(JSON.stringify(capabilities()));`;
  const { processes, missing } = JSON.parse(run(script)) as Capabilities;
  assert.equal(processes, false);
  assert.deepEqual(missing, [
    {
      name: "system calls",
      reason:
        `the optional package @koromix/koffi-linux-${process.arch} could not be loaded: ` +
        `Cannot find module '@koromix/koffi-elsewhere-${process.arch}'`,
    },
  ]);
});

test("no other module of src/ loads koffi, and none needs its installer at run time", () => {
  const source = fileURLToPath(new URL("../../../../src/", import.meta.url));
  const importers = readdirSync(source, { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(".ts") && !path.endsWith(".test.ts"))
    .filter((path) => /["'](koffi["']|@koromix)|`@koromix/.test(readFileSync(join(source, path), "utf8")));
  assert.deepEqual(importers, ["node/system-calls/library.ts"]);
  assert.doesNotMatch(readFileSync(fileURLToPath(library), "utf8"), /["']koffi["']/);
});

test("here system calls can be made", { skip: process.platform !== "linux" }, () => {
  assert.equal(whyUnavailable(), undefined);
});

function run(script: string): string {
  return execFileSync(process.execPath, ["--input-type=module", "--eval", script], {
    encoding: "utf8",
    timeout: 30_000,
  });
}
