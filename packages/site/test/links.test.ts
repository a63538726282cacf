import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { deadLinks } from "../src/links.js";
import { linkFrom, pageOf, sourceOf } from "../src/pages.js";

test("a link to no page, no heading or out of the site's path is dead, and others are not", (t) => {
  const folder = mkdtempSync(join(tmpdir(), "dmabuf-links-"));
  t.after(() => rmSync(folder, { recursive: true }));
  mkdirSync(join(folder, "guides"));
  const right = ["guides/one.html#here", "/base/guides/one.html", "#top", "guides/", "https://example.org/x", "data:,"];
  const wrong = ["guides/two.html", "guides/one.html#there", "/guides/one.html", "#bottom"];
  const html = [...right, ...wrong].map((link) => `<p id="top"><a class="x" href="${link}">link</a></p>`).join("\n");
  writeFileSync(join(folder, "index.html"), html);
  writeFileSync(join(folder, "guides/index.html"), "");
  writeFileSync(join(folder, "guides/one.html"), '<h2 id="here">Here</h2><img src="../none.png">');
  assert.deepEqual(deadLinks(folder, "/base/"), [
    "guides/one.html: ../none.png",
    ...wrong.map((link) => `index.html: ${link}`),
  ]);
});

test("each file has one page, and a page's links lead where those of its file do", () => {
  for (const [source, page] of [
    ["docs/design/fences.md", "design/fences.md"],
    ["ARCHITECTURE.md", "architecture.md"],
    ["packages/dmabuf/test/README.md", "files/packages/dmabuf/test/README.md"],
  ] as const) {
    assert.equal(pageOf(source), page);
    assert.equal(sourceOf(page), source);
  }
  assert.equal(pageOf("libraries/onnx.mjs"), "files/libraries/onnx.mjs.md");
  assert.equal(linkFrom("processes.md", "../libraries/duckdb.mjs"), "files/libraries/duckdb.mjs.md");
  assert.equal(linkFrom("processes.md", "../libraries"), "files/libraries/index.md");
  assert.equal(linkFrom("design/views.md", "../limits.md#streams"), "../limits.md#streams");
  assert.equal(linkFrom("architecture.md", "docs/glossary.md"), "glossary.md");
  assert.equal(linkFrom("files/libraries/index.md", "onnx.mjs"), "onnx.mjs.md");
  assert.equal(linkFrom("limits.md", "https://example.org/"), "https://example.org/");
});
