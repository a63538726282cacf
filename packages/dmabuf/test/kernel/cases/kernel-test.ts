/** Tests on the kernel's descriptors alone. */
import { closeSync, openSync } from "node:fs";
import { test } from "node:test";
import type { ErrorCode } from "../../../src/index.js";
import { descriptorFrom, type Descriptor } from "../../../src/linux/index.js";
import { ioctlNumber, rawCall, type Request } from "../../../src/linux/ioctl.js";
import type { Fields, Given } from "../../../src/linux/struct.js";
import { fails } from "../support.js";
import { kernelWorld, type KernelWorld } from "./kernel.js";
import { requestOf } from "../../../src/linux/descriptor.js";

/** A descriptor number that is never open. */
export const CLOSED = 99_999;

export function kernelTest(name: string, run: (world: KernelWorld) => void | Promise<void>): void {
  test(name, { timeout: 20_000 }, async () => {
    const world = kernelWorld();
    try {
      await run(world);
    } finally {
      world.close();
    }
  });
}

/** Fails unless each of these arguments of the request is refused with its errno. */
export function refuses<F extends Fields>(
  descriptor: Descriptor,
  request: Request<F>,
  ...wrong: readonly (readonly [ErrorCode, Given<F>])[]
): void {
  for (const [code, given] of wrong) fails(code, () => requestOf(descriptor, request, given));
}

export function unknownRequest(descriptor: Descriptor, type: string, code: ErrorCode = "ENOTTY"): void {
  const unknown = { name: "unknown", number: ioctlNumber("read-write", type, 0xee, 8) };
  fails(code, () => rawCall(descriptor.fd, unknown, new Uint8Array(8), "Cannot make an unknown request"));
}

/** What a file that has nothing to do with it says. */
export function withRegularFile(run: (file: Descriptor) => void): void {
  const fd = openSync(import.meta.filename, "r");
  try {
    run(descriptorFrom(fd, "the file"));
  } finally {
    closeSync(fd);
  }
}
