import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { DmaBufError } from "../errors.js";
import { descriptorFrom } from "./descriptor.js";
import { giveBack } from "./give-back.js";

function failing(code: "ENODEV" | "EIO"): () => void {
  return () => {
    throw new DmaBufError(code, "Cannot stop the device");
  };
}

test("give-back.1, give-back.2: each is given back, a device that is gone says nothing, and other errors are warnings", async () => {
  const given: string[] = [];
  const warned = once(process, "warning") as Promise<[Error]>;
  giveBack(
    failing("ENODEV"),
    () => given.push("second"),
    failing("EIO"),
    () => given.push("fourth"),
  );
  assert.deepEqual(given, ["second", "fourth"]);
  const [{ name, message }] = await warned;
  assert.equal(name, "DmaBufWarning");
  assert.match(message, /EIO: Cannot stop the device/);
});

test("give-back.2: the close of a descriptor that was closed elsewhere is a warning", async () => {
  const warned = once(process, "warning") as Promise<[Error]>;
  descriptorFrom(1_000_000, "the thing").close();
  assert.match((await warned)[0].message, /EBADF/);
});
