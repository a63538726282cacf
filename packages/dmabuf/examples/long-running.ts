// A job without a time limit, and another thread that needs its buffer: node dist/examples/long-running.js
import { setTimeout as sleep } from "node:timers/promises";
import { Domain } from "dmabuf";

using domain = Domain.create();
using weights = domain.allocate(1 << 20, { name: "weights" });
using more = domain.createUserFence({ name: "more to learn" });

using training = domain.createQueue<{ rounds: number }>({
  longRunning: true, // jobs that may take as long as they like
  name: "training",
  preemptLimit: 500, // milliseconds in which a job must come to a safe point, if others need its buffers
  async run(job) {
    for (let round = 1; round <= job.data.rounds; round++) {
      job.access(weights).bytes[0] = round; // may be elsewhere than in the last round
      await job.safePoint(sleep(1)); // the device works; the buffer may be taken away here, and comes back
    }
    await job.safePoint(more.wait()); // as long as that takes: the buffer is free for others
    job.access(weights).bytes[1] = 100;
  },
});
using trained = training.submit({ buffers: [weights], data: { rounds: 50 } });
await sleep(20);

{
  // The job is suspended at its next safe point, and stays so until the access ends.
  using access = await weights.access("read", { evict: true });
  const [round] = access.bytes;
  await sleep(20);
  console.log("nothing has changed:", access.bytes[0] === round);
}

// Ordinary jobs may ask for the same. Without it they run beside the long-running one.
using snapshots = domain.createQueue({
  name: "snapshots",
  run: (job) => console.log("a snapshot of", job.access(weights).copy().length, "bytes"),
});
const snapshot = await snapshots.submit({ reads: [weights], evict: true });
await snapshot.result();

more.signal();
await trained.wait();
using access = await weights.access("read");
console.log("trained:", access.bytes[0], access.bytes[1]);
