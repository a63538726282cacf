// Fences that user code decides, and numbers that a device counts up: node dist/examples/user-fences.js
import { Domain, DmaBufError } from "dmabuf";

using domain = Domain.create();

// Ends when the program says so: a model has loaded, a person has clicked. It has no time limit.
using loaded = domain.createUserFence({ name: "model loaded" });
setTimeout(() => loaded.signal(), 20); // or another thread or process that has imported loaded.handle()
console.log("still loading:", await loaded.wait({ timeout: 1 })); // timed-out
console.log("loaded:", await loaded.wait());

// It may follow a DMA fence, which always ends ...
using timeline = domain.createTimeline({ name: "upload" });
using uploaded = domain.createUserFence({ name: "uploaded" });
uploaded.signalAfter(timeline.createFence());
timeline.signal(1);
console.log("uploaded:", await uploaded.wait());

// ... and never the other way round: the compiler says so, and the call does.
try {
  // @ts-expect-error -- a user fence is no DMA fence
  domain.createSyncFile(loaded);
} catch (error) {
  if (error instanceof DmaBufError) console.log(error.code); // EINVAL
}

// A memory fence is a number in a buffer, as GPUs have them: what has done 3 of 4 steps has done 2.
using progress = domain.allocate(4096, { name: "progress" });
const step = (value: number) => progress.memoryFence({ offset: 0, value });
using second = step(2);
using third = step(3);
using fourth = step(4);
setTimeout(() => third.signal(), 20);
await second.wait();
console.log(second.isSignaled(), third.isSignaled(), fourth.isSignaled()); // true true false
