import { Domain, rawFormat } from "dmabuf";
import { capabilities, ProcessDomain } from "dmabuf/node";
import { expect, test } from "vitest";

test.each([Domain, ProcessDomain])("a frame", async (kind) => {
  expect(capabilities().missing).toEqual([]);
  const domain = kind.create();
  const stream = domain.createStream({ format: rawFormat(4) });
  const consumer = stream.frames();
  const loan = await stream.loan();
  loan.bytes.fill(7);
  loan.publish();
  const frame = await consumer.next();
  expect([...frame.bytes]).toEqual([7, 7, 7, 7]);
  domain.close();
});
