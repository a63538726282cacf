// Frames of another process. In a second terminal, and in a third: node dist/examples/consumer.js
import { ProcessDomain } from "dmabuf/node";

using domain = await ProcessDomain.connect(process.argv[2] ?? "@camera");
using stream = await domain.findStream("camera", { timeout: 5000 });

for await (using frame of stream.frames({ policy: "drop-oldest" })) {
  const [luma] = frame.planes; // the producer's own memory, mapped for reading alone
  const sum = luma.bytes.reduce((total, byte) => total + byte, 0);
  const age = Number(process.hrtime.bigint()) - frame.publishedAt;
  console.log(frame.sequence, frame.data, "brightness", sum / luma.bytes.length, "after", age / 1e6, "ms");
}
