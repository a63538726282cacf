/** `capabilities()` says what is there, and of the rest why not. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { capabilities } from "../../../src/web/index.js";

const isPage = "document" in globalThis;

test("what a domain needs is there on an isolated page, and only workers may block", () => {
  const { isolated, sharedMemory, waitAsync, mayBlock, locks, wasm } = capabilities();
  for (const capability of [isolated, sharedMemory, waitAsync, locks, wasm])
    assert.deepEqual(capability, { has: true });
  assert.equal(mayBlock.has, !isPage);
});

test("what is missing has a reason, and nothing else has", () => {
  for (const [name, { has, reason }] of Object.entries(capabilities())) {
    assert.equal(typeof reason, has ? "undefined" : "string", name);
  }
});

test("each one is as a program finds it", () => {
  const found = capabilities();
  assert.equal(found.dispose.has, "dispose" in Symbol);
  assert.equal(found.webCodecs.has, "VideoDecoder" in globalThis);
  assert.equal(found.webGpu.has, "gpu" in navigator);
  assert.equal(found.audioWorklet.has, "AudioWorkletNode" in globalThis);
  if (!isPage) assert.deepEqual(found.audioWorklet, { has: false, reason: "only pages make them" });
});

test("asking often leaves no context of WebGL behind", { timeout: 60_000 }, () => {
  const { has } = capabilities().webGl;
  for (let i = 0; i < 40; i++) assert.equal(capabilities().webGl.has, has);
});
