// Jobs in worker threads, one of which hangs: node dist/examples/workers.js
import { isMainThread } from "node:worker_threads";
import { Domain, DmaBufError, type Job } from "dmabuf";
import { WorkerPool } from "dmabuf/node";

/** What the workers run: the default export of their module. */
export default function brighten(job: Job<number>): void {
  if (job.data === 0) for (;;); // hangs
  for (const buffer of job.writes) {
    const { bytes } = job.access(buffer); // the same memory
    bytes.forEach((value, i) => (bytes[i] = value + job.data));
  }
}

if (isMainThread) {
  using domain = Domain.create();
  using pool = WorkerPool.create<number>(domain, new URL(import.meta.url), { size: 2, timeLimit: 500 });
  using queue = pool.createQueue();
  using image = domain.allocate(1 << 20, { name: "image" });

  await queue.submit({ data: 10, writes: [image] });
  const hanging = await queue.submit({ data: 0, writes: [image] });
  await queue.submit({ data: 20, writes: [image] });

  using access = await image.access("read"); // waits for the last job
  console.log("brightness", access.bytes[0]);
  try {
    await hanging.result();
  } catch (error) {
    if (error instanceof DmaBufError) console.log("one job failed:", error.code);
  }
}
