// Jobs that name the buffers they read and write: node dist/examples/queue.js
import { setTimeout as sleep } from "node:timers/promises";
import { Domain } from "dmabuf";

using domain = Domain.create();
using image = domain.allocate(1 << 20, { name: "image" });
using blurred = domain.allocate(1 << 20, { name: "blurred" });

// Two devices, each with a queue of its own.
using camera = domain.createQueue<{ level: number }>({
  name: "camera",
  async run(job) {
    await sleep(20); // the device works
    job.access(image).bytes.fill(job.data.level);
  },
});
using blitter = domain.createQueue({
  name: "blitter",
  timeLimit: 1000, // a job that hangs fails with ETIMEDOUT, and the next one runs
  run(job) {
    job.access(blurred).bytes.set(job.access(image).bytes);
  },
});

// The program does not say which job waits for which: the buffers know.
for (const level of [1, 2, 3]) {
  await camera.submit({ data: { level }, writes: [image] });
  await blitter.submit({ reads: [image], writes: [blurred] });
}
console.log("submitted:", [...image.reservation.fences()].map(({ fence }) => fence.describe()).join(", "));

using access = await blurred.access("read"); // waits for the last blit, and so for the last picture
console.log("the last picture has level", access.bytes[0]);
