// The worker of the page: draws frames.
import { copiedBytes, Domain, imageFormat } from "dmabuf";

const next = () => new Promise((got) => addEventListener("message", ({ data }) => got(data), { once: true }));

const domain = Domain.join(await next());
const stream = domain.createStream({ format: imageFormat("RGBA", 640, 480) });
postMessage(stream.handle());
await stream.waitForConsumers(1);
for (const [red, green, blue] of [
  [255, 0, 0],
  [0, 255, 0],
  [0, 0, 255],
]) {
  const loan = await stream.loan();
  for (let at = 0; at < loan.bytes.length; at += 4) loan.bytes.set([red, green, blue, 255], at);
  loan.publish();
}
stream.end();
console.log("producer: 3 frames of", stream.format.size, "bytes,", copiedBytes(), "bytes were copied");
await next();
postMessage("over");
