/** A page and its worker with the small entry, and beside it a worker with the whole library. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Domain, rawFormat, type FrameStream } from "../../../src/streams.js";
import { start } from "./worker.js";

const SMALL = new URL("./threads/streams-member.js", import.meta.url);
const WHOLE = new URL("./threads/member.js", import.meta.url);
const LIMIT = { timeout: 30_000 };
const FRAMES = 50;

async function publish(stream: FrameStream): Promise<void> {
  for (let n = 0; n < FRAMES; n++) {
    const loan = (await stream.loan())!;
    loan.bytes.fill(n);
    loan.publish({ data: { n } });
  }
  stream.end();
}

test("frames go from the page to a worker through dmabuf/streams alone", LIMIT, async () => {
  using domain = Domain.create();
  using stream = domain.createStream({ format: rawFormat(8), buffers: 3 });
  const invitation = domain.invite();
  const drained = start(SMALL, { invitation, stream: stream.handle() }, [invitation.port]);
  await stream.waitForConsumers(1);
  await publish(stream);
  const { worker, answer } = await drained;
  assert.deepEqual(
    answer,
    Array.from({ length: FRAMES }, (_, n) => [n, { n }]),
  );
  worker.terminate();
});

test("a worker with all of dmabuf takes them too", LIMIT, async () => {
  using domain = Domain.create();
  using stream = domain.createStream({ format: rawFormat(8), buffers: 3 });
  const invitation = domain.invite();
  const task = { do: "drain", stream: stream.handle() };
  const drained = start(WHOLE, { invitation, task }, [invitation.port]);
  await stream.waitForConsumers(1);
  await publish(stream);
  const { worker, answer } = await drained;
  assert.deepEqual(
    answer,
    Array.from({ length: FRAMES }, (_, n) => n),
  );
  worker.terminate();
});

test("the stream of a worker that is terminated fails with ESRCH", LIMIT, async () => {
  using domain = Domain.create();
  const invitation = domain.invite();
  const { worker, answer } = await start(WHOLE, { invitation, task: { do: "produce" } }, [invitation.port]);
  using consumer = domain.import(answer as ReturnType<FrameStream["handle"]>).frames();
  using frame = await consumer.next();
  assert.equal(frame?.sequence, 0);
  worker.terminate();
  await assert.rejects(consumer.next(), { code: "ESRCH" });
});
