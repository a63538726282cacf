// Work with fences and long-running work on the same slots: node dist/examples/executor.js
import { setTimeout as sleep } from "node:timers/promises";
import { Domain } from "dmabuf";

using domain = Domain.create();
const executor = domain.createExecutor({ slots: 1, sharing: "preempt" });
using frame = domain.allocate(4096, { name: "frame" });

using weights = domain.createPagedBuffer({
  size: 4096,
  async fill(_offset, bytes) {
    await sleep(50);
    // It needs what the frame's job has first: without "preempt" both would wait without end.
    using _access = await frame.access("read");
    bytes.fill(1);
  },
});
using training = domain.createQueue({
  longRunning: true,
  executor,
  async run(job) {
    console.log("the training faults");
    using range = await job.safePoint(weights.fault(0, 1));
    console.log("the training has its page:", range.bytes[0]);
  },
});
using frames = domain.createQueue({
  executor,
  run: () => console.log("a frame is drawn, while the page is missing"),
});

using trained = training.submit({});
await sleep(10);
const drawn = await frames.submit({ writes: [frame] });
await drawn.wait();
await trained.wait();
console.log(executor.describe());
