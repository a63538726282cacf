import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { test } from "node:test";
import { moduleMemory } from "../memory.js";
import { HEIGHT, picture, WIDTH } from "../../test/white-square.js";
import { MotionSimd } from "./motion-simd.js";
import { MODULE } from "./motion-module.js";

function motion() {
  return new MotionSimd(moduleMemory(), { width: WIDTH, height: HEIGHT });
}

test("MotionSimd finds no motion in the first frame, and none in a still one", async () => {
  const job = motion();
  job.look(picture(0, 32, 32));
  job.look(picture(1, 32, 32));
  assert.deepEqual((await job.finish()).values, { moving_frames: 0, largest_area: 0 });
});

test("MotionSimd counts the blocks in which a thing was and is", async () => {
  const job = motion();
  job.look(picture(0, 32, 32));
  job.look(picture(1, 160, 96));
  const { values } = await job.finish();
  // Of the four blocks that a square touches, one is full, and the strips in two others, of 4 by 16 pixels, are enough.
  assert.deepEqual(values, { moving_frames: 1, largest_area: Number((6 / ((WIDTH * HEIGHT) / 256)).toFixed(4)) });
});

test("MotionSimd does not take a little noise for motion", async () => {
  const job = motion();
  const noisy = picture(1, 32, 32);
  for (let at = 0; at < WIDTH * HEIGHT; at++) noisy.luma.bytes[at]! += at % 2 === 0 ? 4 : -4;
  job.look(picture(0, 32, 32));
  job.look(noisy);
  assert.equal((await job.finish()).values["moving_frames"], 0);
});

test("MotionSimd reads a frame where it lies in the module's memory", async () => {
  const job = motion();
  const address = job.memory.grow(1) * 65_536;
  const there = new Uint8Array(job.memory.buffer, address, WIDTH * HEIGHT);
  for (const [sequence, left] of [32, 160].entries()) {
    const given = picture(sequence, left, 32);
    there.set(given.luma.bytes);
    job.look({ ...given, luma: { bytes: new Uint8Array(), stride: WIDTH, pointer: address } });
  }
  assert.equal((await job.finish()).values["moving_frames"], 1);
});

test("The binary of the module is that of its source", async () => {
  const COMPILER: string = "assemblyscript/asc";
  const { default: asc } = (await import(COMPILER)) as { readonly default: Compiler };
  let compiled: Uint8Array | undefined;
  const { error, stderr } = await asc.main([...FLAGS, "--outFile", "motion.wasm"], {
    readFile: (name) => (name === "motion.ts" ? MODULE.SOURCE : null),
    writeFile: (_name, contents) => (compiled = contents),
    listFiles: () => [],
  });
  assert.equal(error, null, stderr.toString());
  assert.equal(Buffer.from(compiled!).toString("base64"), MODULE.BINARY);
});

const FLAGS = [
  ...["motion.ts", "--enable", "threads,simd", "--runtime", "stub", "-O3"],
  ...["--importMemory", "--sharedMemory", "--initialMemory", "1", "--maximumMemory", "65536"],
];

interface Compiler {
  main(
    args: readonly string[],
    host: {
      readFile(name: string): string | null;
      writeFile(name: string, contents: Uint8Array): void;
      listFiles(): string[];
    },
  ): Promise<{ readonly error: Error | null; readonly stderr: { toString(): string } }>;
}
