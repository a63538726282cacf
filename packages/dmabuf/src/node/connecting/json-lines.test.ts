import assert from "node:assert/strict";
import { test } from "node:test";
import { printable } from "./json-lines.js";

test("json-lines.1: what a peer says is shown on one line, and nothing in it changes how the rest is shown", () => {
  const turns = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\u061c";
  const unseen = "\u200b\u200c\u200d\ufeff\u00ad\u2060\u{e0041}";
  const ends = "\u0000\u001b\n\r\u007f\u0085\u009b\u2028\u2029";
  for (const character of turns + unseen + ends) {
    const code = character.codePointAt(0)!.toString(16);
    assert.match(printable(`before${character}after`), /^before {1,2}after$/, `U+${code}`);
  }
  assert.equal(printable("Grüße, 日本 🙂"), "Grüße, 日本 🙂");
});

test("json-lines.1: what a peer says is cut, also in the middle of a character", () => {
  const text = printable("🙂".repeat(400));
  for (const some of [text, printable(`x${"🙂".repeat(400)}`)]) assert.doesNotMatch(some, /\p{Cs}/u);
  assert.ok(text.length <= 501);
});

test("json-lines.1: what is no text is shown as JSON", () => {
  assert.deepEqual([printable(undefined), printable({ a: 1 }), printable(7)], ["nothing", '{"a":1}', "7"]);
});
