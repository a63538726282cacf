import assert from "node:assert/strict";
import { test } from "node:test";
import { textOf, codeOf, errnoOf } from "../errors.js";
import { isLater, promised } from "./promised.js";

test("what is no promise is given back as it is, and at once", () => {
  for (const value of [undefined, null, 0, "then", { then: 1 }, [1], () => 1]) assert.equal(promised(value), value);
});

test("a promise of any realm is waited for", async () => {
  const foreign = { then: (resolve: (value: number) => void) => resolve(7) };
  for (const given of [Promise.resolve(7), foreign as PromiseLike<number>]) {
    const later = promised(given);
    assert.ok(isLater(later));
    assert.equal(await later, 7);
  }
});

test("a `then` of the user's does not run in the call, and what it throws rejects", async () => {
  let calls = 0;
  const throwing = {
    then() {
      calls++;
      throw new Error("planned");
    },
  };
  const own = Object.assign(Promise.resolve(), throwing);
  for (const given of [throwing, own]) {
    const later = promised(given as PromiseLike<void>);
    assert.equal(calls, 0);
    await assert.rejects(Promise.resolve(later), /planned/);
    calls = 0;
  }
});

test("a getter `then` that throws rejects", async () => {
  const given = {
    get then(): never {
      throw new Error("planned");
    },
  };
  await assert.rejects(Promise.resolve(promised(given)), /planned/);
});

test("what is thrown has a code and a text, also if to ask for them throws", () => {
  const hostile = {
    get code(): never {
      throw new Error("planned");
    },
    toString(): never {
      throw new Error("planned");
    },
  };
  assert.equal(errnoOf(hostile), undefined);
  assert.equal(codeOf(hostile), "EIO");
  assert.equal(textOf(hostile), "something that has no text");
  assert.equal(textOf(Object.create(null)), "something that has no text");
});
