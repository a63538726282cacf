/** Three ends of a test, to see that they are told apart. */
import assert from "node:assert/strict";
import { test } from "node:test";

test("passes", () => {});
test("fails", () => assert.equal(1, 2));
test("is skipped", { skip: true }, () => {});
