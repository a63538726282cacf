/**
 * A pipeline with a process of another language in its middle: a camera, here, and what is made of its frames, there and here.
 *
 *     node pipeline.mjs @camera @results 20
 *
 * The other process looks at the first place and fills the second one: invert.py or torch_model.py.
 */
import process from "node:process";
import { imageFormat } from "dmabuf";
import { ProcessDomain } from "dmabuf/node";

const [source = "@camera", sink = "@results", frames = "20"] = process.argv.slice(2);
const format = imageFormat("NV12", 320, 240);

const domain = ProcessDomain.create();
const camera = domain.createStream({ name: "camera", format, dataBytes: 100 });
const results = domain.createStream({ name: "results", format, dataBytes: 100 });
// Each frame is to be seen: the other process may hold the camera up.
domain.serveViewers(source, camera, { policy: "block" });
// When it has finished, or died, there are no more results.
domain.serveContributors(sink, results, { ends: true });
const consumer = results.frames({ policy: "block" });
console.log("ready");

await Promise.all([record(), show()]);
domain.close();

/** A picture with a bright square that wanders. */
async function record() {
  await camera.waitForConsumers(1);
  for (let i = 0; i < Number(frames); i++) {
    const loan = await camera.loan();
    const [luma, chroma] = loan.planes;
    luma.bytes.fill(16);
    for (let y = 100; y < 140; y++) luma.bytes.fill(200, y * luma.stride + i, y * luma.stride + i + 40);
    chroma.bytes.fill(100);
    loan.publish({ timestamp: i * 40, data: { frame: i } });
  }
  camera.end();
}

async function show() {
  for await (const frame of consumer) {
    const { sequence, timestamp, data } = frame;
    const [luma, chroma] = frame.planes;
    const at = (x, y) => luma.bytes[y * luma.stride + x];
    const [outside, inside, edge] = [at(0, 0), at(sequence + 20, 120), at(sequence, 120)];
    console.log(JSON.stringify({ sequence, timestamp, data, outside, inside, edge, chroma: chroma.bytes[0] }));
    frame.close();
  }
}
