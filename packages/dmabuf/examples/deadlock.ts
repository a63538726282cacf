// Three deadlocks, each of them reported instead of a hang: node dist/examples/deadlock.js
import { Domain, DmaBufError } from "dmabuf";

using domain = Domain.create({
  validate: { onReport: (report) => console.log(`${report.code}: ${report.message}`) },
});
using left = domain.allocate(4096, { name: "left" });
using right = domain.allocate(4096, { name: "right" });

// 1. Two tasks take two buffers, each in its own order. They do not meet here, but some day they will.
async function blend(from = left, to = right): Promise<void> {
  using source = await from.access("read");
  using target = await to.access("write");
  target.bytes.set(source.bytes);
}
await blend(left, right);
await blend(right, left);

// 2. A job waits for a job behind it in its own queue.
using encoder = domain.createQueue<"picture" | "tile">({
  name: "encoder",
  async run(job) {
    if (job.data === "tile") return;
    const tile = await encoder.submit({ data: "tile" });
    await tile.wait({ timeout: 100 });
  },
});
const finished = await encoder.submit({ data: "picture" });
await finished.wait();

// 3. An agent keeps an access that it has forgotten. The error of the next writer says so, and where it was taken.
using detector = Domain.join(domain.invite({ name: "detector" }), { debug: true });
const forgotten = await detector.import(left.handle()).access("read");
try {
  await left.access("write", { timeout: 300 });
} catch (error) {
  if (error instanceof DmaBufError) console.log(`${error.code}: ${error.explanation?.sentence}`);
}
forgotten.close();
