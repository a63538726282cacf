import assert from "node:assert/strict";
import { test } from "node:test";
import { nativeFunction } from "./library.js";
import { checksOf, type NativeArgument } from "./native-arguments.js";

test("library.5: an integer that does not fit its parameter is refused by its name, and one that just fits is taken", () => {
  const cases: [string, readonly NativeArgument[], readonly NativeArgument[]][] = [
    ["int", [-(2 ** 31), 2 ** 31 - 1, -1n], [-(2 ** 31) - 1, 2 ** 31, 2n ** 31n]],
    ["uint32_t", [0, 2 ** 32 - 1], [-1, 2 ** 32]],
    ["int64_t", [Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER, -(2n ** 63n)], [2 ** 53, -(2 ** 53), 2n ** 63n]],
    ["uint64_t", [0, 2n ** 64n - 1n], [-1, 2 ** 53, 2n ** 64n]],
    ["size_t", [0, Number.MAX_SAFE_INTEGER, 7n], [-1, -1n, 2 ** 53]],
    ["uintptr_t", [0, 2 ** 47], [-1, 2n ** 64n]],
  ];
  for (const [type, good, bad] of cases) {
    const check = checksOf(`int some(int first, ${type} value)`);
    for (const value of good) assert.doesNotThrow(() => check([0, value]), `${type} ${value as number}`);
    const nonsense = [...bad, 0.5, NaN, Infinity, "7", null, undefined, new Uint8Array(4)] as NativeArgument[];
    for (const value of nonsense) {
      assert.throws(() => check([0, value]), { name: "RangeError", message: /some\(\): .* parameter "value"$/ }, type);
    }
  }
});

test("library.5: text that the C library would cut is refused", () => {
  const check = checksOf("int open(const char *path, int flags)");
  check(["/tmp", 0]);
  assert.throws(() => check(["/tmp\0/none", 0]), { name: "RangeError", message: /parameter "path"/ });
});

test("library.5: no call is made with what was refused: it would hit another descriptor", () => {
  const close = nativeFunction("int close(int fd)");
  assert.throws(() => close(2 ** 32 + 1), RangeError);
  assert.equal(close(-1), -1);
});

test("a declaration with a type that has no check cannot be made", () => {
  assert.throws(() => nativeFunction("int some(float value)"), { name: "TypeError", message: /"float value"/ });
});
