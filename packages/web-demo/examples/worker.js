// worker.js: draws pictures into shared memory; or measures those of the other one
import { copiedBytes, Domain, imageFormat } from "dmabuf";
import { joinFromPage } from "dmabuf/web";

const { domain, data } = await joinFromPage(Domain);
if (data === undefined) await paint();
else await measure(domain.import(data.stream));

async function paint() {
  const stream = domain.createStream({ name: "pictures", format: imageFormat("I420", 1920, 1080) });
  postMessage({ stream: stream.handle() });
  for (let n = 0; ; n++) {
    const loan = await stream.loan(); // a buffer that no reader uses any more
    const [luma, ...chroma] = loan.planes;
    luma.bytes.fill(128 + 100 * Math.sin(n / 30)); // 2 MB, written once
    for (const { bytes } of chroma) bytes.fill(128);
    loan.publish();
    await new Promise((done) => setTimeout(done, 33));
  }
}

async function measure(stream) {
  for await (const frame of stream.frames({ policy: "drop-oldest" })) {
    const { bytes } = frame.planes[0]; // the painter's own memory
    const sum = bytes.reduce((sum, byte) => sum + byte, 0);
    postMessage({ brightness: Math.round(sum / bytes.length), copied: copiedBytes() });
    frame.close(); // the painter may use this buffer again
  }
}
