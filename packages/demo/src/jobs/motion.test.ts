import assert from "node:assert/strict";
import { test } from "node:test";
import { HEIGHT, picture, WIDTH } from "../../test/white-square.js";
import { Motion } from "./motion.js";

test("Motion reports nothing for the first frame, and no box for a still one", () => {
  const motion = new Motion();
  motion.look(picture(0, 40, 40));
  assert.equal(motion.note(), undefined);
  motion.look(picture(1, 40, 40));
  assert.deepEqual(motion.note(), { kind: "motion", sequence: 1, area: 0 });
});

test("Motion's box has the place where a thing was and the place where it is", () => {
  const motion = new Motion();
  motion.look(picture(0, 40, 40));
  motion.look(picture(1, 100, 60));
  const note = motion.note();
  assert.deepEqual(note?.box, { left: 40, top: 40, width: 80, height: 40 });
  assert.equal(note?.area, (2 * 20 * 20) / (WIDTH * HEIGHT));
});

test("Motion does not take a little noise for motion", () => {
  const motion = new Motion();
  const noisy = picture(1, 40, 40);
  for (let at = 0; at < WIDTH * HEIGHT; at++) noisy.luma.bytes[at]! += at % 2 === 0 ? 4 : -4;
  motion.look(picture(0, 40, 40));
  motion.look(noisy);
  assert.equal(motion.note()?.area, 0);
});
