/**
 * A program that does some of everything, with two agents in one thread: `node trace-program.js [hang | fail]`.
 * With `hang` it then says "ready" and waits to be killed; with `fail` it ends with 7.
 */
import { Domain, imageFormat } from "dmabuf";

const domain = Domain.create({ name: "camera" });
const viewer = Domain.join(domain.invite({ name: "viewer" }));

const stream = domain.createStream({ name: "video", format: imageFormat("RGBA", 16, 16), buffers: 3 });
const frames = viewer.import(stream.handle()).frames();
for (let n = 0; n < 5; n++) {
  const loan = await stream.loan();
  loan?.publish();
  (await frames.next())?.close();
}

const render = domain.createTimeline({ name: "render" });
const fence = render.createFence();
const theirs = viewer.import(fence.handle());
const waits = [theirs.wait(), theirs.wait()];
setTimeout(() => render.signal(fence.seqno), 20);
await Promise.all(waits);

const queue = domain.createQueue({ name: "blur", run: () => {} });
await (await queue.submit({})).wait();

console.log("ready");
if (process.argv[2] === "hang") {
  render.createFence().handle();
  setInterval(() => {}, 1000);
} else {
  viewer.close();
  domain.close();
  if (process.argv[2] === "fail") process.exitCode = 7;
}
