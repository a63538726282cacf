import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { execFileSync } from "node:child_process";
import { test } from "node:test";
import { capabilities, type Capabilities } from "./capabilities.js";

test("all that domains between processes need works here, and finding out leaves no descriptor", () => {
  const before = readdirSync("/proc/self/fd").length;
  const { processes, missing, windows } = capabilities();
  assert.deepEqual({ processes, missing, windows }, { processes: true, missing: [], windows: true });
  assert.equal(readdirSync("/proc/self/fd").length, before);
});

test("a call that the system forbids is named, with its error", { timeout: 30_000 }, () => {
  const script = `
    import Module from "node:module";
    const load = Module._load;
    Module._load = (name, ...rest) => {
      const koffi = load(name, ...rest);
      if (!name.startsWith("@koromix/koffi-")) return koffi;
      let isForbidden = false;
      const forbid = (library) => ({
        func(declaration) {
          const call = library.func(declaration);
          return (...values) => {
            isForbidden = declaration.includes("epoll_create1");
            return isForbidden ? -1 : call(...values);
          };
        },
      });
      return { ...koffi, load: (path) => forbid(koffi.load(path)), errno: () => (isForbidden ? 1 : koffi.errno()) };
    };
    const { capabilities } = await import(${JSON.stringify(new URL("./capabilities.js", import.meta.url).href)});
    console.log(JSON.stringify(capabilities()));`;
  const output = execFileSync(process.execPath, ["--input-type=module", "--eval", script], { encoding: "utf8" });
  const { processes, missing } = JSON.parse(output) as Capabilities;
  assert.equal(processes, false);
  assert.deepEqual(
    missing.map(({ name, code, syscall }) => [name, code, syscall]),
    [["epoll and event counters", "EPERM", "epoll_create1"]],
  );
});

test("a runtime whose sockets take no descriptors is found out, and no descriptor is left", { timeout: 30_000 }, () => {
  const script = `
    import net from "node:net";
    import { readdirSync, writeSync } from "node:fs";
    import { syncBuiltinESMExports } from "node:module";
    net.Socket = class extends net.Socket { constructor() { super(); } };
    syncBuiltinESMExports();
    const { capabilities } = await import(${JSON.stringify(new URL("./capabilities.js", import.meta.url).href)});
    const before = readdirSync("/proc/self/fd").length;
    const { processes, missing } = capabilities();
    const left = readdirSync("/proc/self/fd").length - before;
    writeSync(1, JSON.stringify({ processes, missing: missing.map(({ name, code }) => [name, code]), left }));`;
  const output = execFileSync(process.execPath, ["--input-type=module", "--eval", script], { encoding: "utf8" });
  assert.deepEqual(JSON.parse(output), {
    processes: false,
    missing: [["sockets made of descriptors", "ENOSYS"]],
    left: 0,
  });
});
