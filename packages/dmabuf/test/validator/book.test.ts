/** What the book must have. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { BOOK } from "./book.js";
import { addressOf, table } from "./table.js";

test("the table in README.md lists the book", () => {
  const readme = readFileSync(new URL("../../../test/validator/README.md", import.meta.url), "utf8");
  assert.equal(readme.slice(readme.indexOf("| id |")), table());
});

test("the book has at least 50 mistakes, each with a name of its own", () => {
  assert.ok(BOOK.length >= 50, `${BOOK.length}`);
  assert.equal(new Set(BOOK.map(({ id }) => id)).size, BOOK.length);
});

test("at least 15 of them are published bugs, each with an address", () => {
  const sources = BOOK.flatMap(({ source }) => (source === undefined ? [] : [source]));
  assert.ok(new Set(sources.map(addressOf)).size >= 15, `${sources.length}`);
  for (const source of sources) assert.ok(URL.canParse(addressOf(source)), source.where);
});
