/** Jobs that wait for their own queue. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { createValidated } from "../../test/validated.js";
import type { Fence } from "../fence/fence.js";

const LIMIT = { timeout: 30_000 };
const SHORT = { timeout: 20 };

test("a job that waits for itself, or for a job behind it, is reported (job-check.1)", LIMIT, async (t) => {
  const validated = createValidated(t);
  const queue = validated.domain.createQueue<boolean>({
    async run({ data: hasPart, finished }) {
      await (hasPart ? await queue.submit({ data: false }) : finished).wait(SHORT);
    },
  });
  for (const hasPart of [false, true]) await (await queue.submit({ data: hasPart })).wait();
  await queue.flush();
  assert.deepEqual(new Set(validated.takeCodes()), new Set(["own-fence"]));
});

test("a job that waits for earlier work, or has others wait for it, is not", LIMIT, async (t) => {
  const validated = createValidated(t);
  const other = validated.domain.createQueue({ run: () => new Promise<void>((resolve) => setTimeout(resolve, 20)) });
  const queue = validated.domain.createQueue<Fence | undefined>({
    async run({ data: earlier, finished }) {
      finished.addCallback(() => {});
      await earlier?.wait();
    },
  });
  const first = await queue.submit({ data: await other.submit({}) });
  await (await queue.submit({ data: first })).wait();
  assert.deepEqual(validated.takeCodes(), []);
});
