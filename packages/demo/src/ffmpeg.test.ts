import assert from "node:assert/strict";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { DmaBufError } from "dmabuf";
import { findFfmpeg } from "./ffmpeg.js";

const folder = mkdtempSync(join(tmpdir(), "dmabuf-ffmpeg-test-"));
after(() => rmSync(folder, { recursive: true }));
const program = join(folder, "ffmpeg");
writeFileSync(program, "");
chmodSync(program, 0o755);

test("findFfmpeg() takes DMABUF_FFMPEG before PATH, and PATH before the package", () => {
  assert.equal(findFfmpeg({ DMABUF_FFMPEG: program, PATH: "/nowhere" }).path, program);
  assert.equal(findFfmpeg({ PATH: `/nowhere:${folder}` }).path, program);
  assert.equal(findFfmpeg({ DMABUF_FFMPEG: "", PATH: folder }).path, program);
});

test("findFfmpeg() does not look further when DMABUF_FFMPEG cannot be run", () => {
  chmodSync(program, 0o644);
  const refused = (error: unknown): boolean => error instanceof DmaBufError && error.code === "EACCES";
  assert.throws(() => findFfmpeg({ DMABUF_FFMPEG: program, PATH: folder }), refused);
  assert.throws(() => findFfmpeg({ DMABUF_FFMPEG: folder }), refused);
});
