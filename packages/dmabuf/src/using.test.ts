import assert from "node:assert/strict";
import { test } from "node:test";
import { __addDisposableResource, __disposeResources } from "./using.js";

/** As the compiler writes a block with `using`. */
function block(resources: readonly (Disposable | null | undefined)[], fails?: Error): void {
  const scope = { stack: [], error: undefined as unknown, hasError: false };
  try {
    for (const resource of resources) __addDisposableResource(scope, resource);
    if (fails !== undefined) throw fails;
  } catch (error) {
    scope.error = error;
    scope.hasError = true;
  } finally {
    __disposeResources(scope);
  }
}

const closing = (closed: string[], name: string, fails?: Error): Disposable => ({
  [Symbol.dispose]() {
    closed.push(name);
    if (fails !== undefined) throw fails;
  },
});

test("what `using` has is closed from the last to the first, and null and undefined are nothing", () => {
  const closed: string[] = [];
  block([closing(closed, "a"), null, undefined, closing(closed, "b")]);
  assert.deepEqual(closed, ["b", "a"]);
});

test("what was taken is closed when the block fails, or when something in between cannot be closed", () => {
  const closed: string[] = [];
  const fails = new Error("block");
  assert.throws(() => block([closing(closed, "a"), closing(closed, "b")], fails), fails);
  assert.throws(() => block([closing(closed, "c"), {} as Disposable]), TypeError);
  assert.deepEqual(closed, ["b", "a", "c"]);
});

test("an error at the close hides none before it", () => {
  const closed: string[] = [];
  const [first, second, third] = [new Error("block"), new Error("b"), new Error("a")];
  assert.throws(() => block([closing(closed, "a", third), closing(closed, "b", second)], first), {
    name: "SuppressedError",
    error: third,
    suppressed: Object.assign(new Error("An error was suppressed during disposal."), {
      name: "SuppressedError",
      error: second,
      suppressed: first,
    }),
  });
  assert.deepEqual(closed, ["b", "a"]);
});
