// Asynchronous work, and an access that waits for it: node dist/examples/fences.js
import { setTimeout as sleep } from "node:timers/promises";
import { Domain, DmaBufError } from "dmabuf";

using domain = Domain.create();
using buffer = domain.allocate(1 << 20, { name: "texture" });

// A device that works on the buffer: its timeline's fences signal in order.
using timeline = domain.createTimeline({ name: "blitter", timeLimit: 1000 });
const blit = timeline.createFence();
{
  using _lock = await buffer.reservation.lock();
  buffer.reservation.reserveFences(1); // may fail; nothing has been submitted yet
  buffer.reservation.addFence(blit, "write"); // cannot fail
}
setTimeout(() => blit.signal(), 50);

console.log(
  "pending:",
  buffer.reservation.getFences("read").map((fence) => fence.describe()),
);
using access = await buffer.access("read"); // waits for the writer, without knowing it
console.log("read after the blit:", blit.status === 1, access.bytes.length);

// A promise as a fence that all threads can wait for; it fails with the reason's code.
const upload = domain.fenceFrom(sleep(10).then(() => Promise.reject(new DmaBufError("EIO", "The line is dead"))));
try {
  await upload.result({ timeout: 1000 });
} catch (error) {
  if (error instanceof DmaBufError) console.log("upload failed:", error.code);
}
