import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";
import { twoHosts } from "../../../test/joined-hosts.js";
import { SubmittedJob } from "./submitted-job.js";
import { sendBytes } from "./transfer.js";

const SIZE = 4096;

test(
  "of three results that come at once the first whole one counts, and none begins before the one before has ended submitted-job.2",
  { timeout: 60_000 },
  async (t) => {
    const { a, b, seen } = await twoHosts(t);
    const target = a.domain.allocate(SIZE);
    const access = await target.access("write");
    const writes = [{ holder: target, views: access.segments }];
    const job = new SubmittedJob(a.peers, randomUUID(), { reads: [], writes }, 60_000);
    const order: string[] = [];
    const broken = b.peers.issue(seen.a, (socket) => {
      socket.write(new Uint8Array(SIZE / 4).fill(1));
      setTimeout(() => {
        order.push("1 breaks off");
        socket.destroy();
      }, 200);
    });
    const whole = (value: number): string =>
      b.peers.issue(
        seen.a,
        (socket) => {
          order.push(`${value} begins`);
          void sendBytes(socket, [new Uint8Array(SIZE).fill(value)], AbortSignal.any([])).catch(() => {});
        },
        60_000,
      );
    const results = await Promise.allSettled(
      [broken, whole(2), whole(3)].map((ticket) => job.collect(seen.b, [ticket])),
    );
    const codes = results.map((one) => (one.status === "rejected" ? (one.reason as { code: string }).code : "taken"));
    assert.deepEqual(codes, ["ECONNRESET", "taken", "ESTALE"]);
    assert.deepEqual(order, ["1 breaks off", "2 begins"]);
    await job.ended;
    assert.ok(access.bytes.every((byte) => byte === 2));
    access.close();
  },
);
