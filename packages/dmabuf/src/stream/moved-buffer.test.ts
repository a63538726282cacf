import assert from "node:assert/strict";
import { test } from "node:test";
import { streamed } from "../../test/streams.js";

const PATIENT = { timeout: 30_000 };

test("a stream whose buffer was moved goes on in the new memory, in each form of its calls", async (t) => {
  const { stream } = streamed(t, 1);
  const consumer = stream.frames();
  const first = stream.loanSync()!;
  const { buffer, bytes: old } = first;
  first.close();
  const memory = new SharedArrayBuffer(buffer.size);
  await buffer.move([{ memory, offset: 0, length: memory.byteLength }]);

  const forms = [
    [() => stream.loanSync(), () => consumer.nextSync()],
    [() => stream.tryLoan(), () => consumer.tryNext()],
    [() => stream.loan(PATIENT), () => consumer.next(PATIENT)],
  ] as const;
  for (const [i, [loans, takes]] of forms.entries()) {
    const loan = (await loans())!;
    assert.equal(loan.bytes.buffer, memory);
    loan.bytes[0] = i + 1;
    loan.publish();
    const frame = (await takes())!;
    assert.deepEqual([frame.sequence, frame.bytes[0]], [i, i + 1]);
    frame.close();
  }
  assert.equal(old[0], 0);
});
