// receiver.mjs: reads the pictures where the sender has drawn them
import { copiedBytes } from "dmabuf";
import { ProcessDomain } from "dmabuf/node";

const domain = await ProcessDomain.connect("./frames.socket");
const stream = await domain.findStream("camera", { timeout: 5000 });

for await (const frame of stream.frames({ policy: "drop-oldest" })) {
  const [plane] = frame.planes; // the sender's own memory, mapped for reading alone
  const age = (Number(process.hrtime.bigint()) - frame.publishedAt) / 1e6;
  if (frame.sequence % 50 === 0) {
    console.log(
      "frame",
      frame.sequence,
      "is full of",
      plane.bytes[0],
      "after",
      age,
      "ms,",
      copiedBytes(),
      "bytes copied",
    );
  }
  frame.close(); // the sender may use this buffer again
}
domain.close();
