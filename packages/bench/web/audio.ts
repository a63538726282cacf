/** Sound of a worker in an AudioWorklet: quanta that were played, and those for which there was none. */
import { Domain, type StreamHandleData } from "dmabuf";
import { connectWorker, connectWorklet } from "dmabuf/web";
import type { Counts } from "./audio-processor.js";
import { measure, numberIn } from "./measured.js";

const RATE = 48_000;

measure(async (query) => {
  const seconds = numberIn(query, "seconds");
  const context = new AudioContext({ sampleRate: RATE });
  await Promise.race([context.resume(), new Promise((done) => setTimeout(done, 5000))]);
  if (context.state !== "running") return "there is no sound here: an AudioContext does not run";
  await context.audioWorklet.addModule("/audio-processor.js");
  const domain = Domain.create({ name: "page" });
  const worker = new Worker("/audio-worker.js", { type: "module" });
  const made = new Promise<StreamHandleData>((got) => {
    worker.onmessage = ({ data }: MessageEvent<StreamHandleData>) => got(data);
  });
  const source = await connectWorker(domain, worker, { name: "source" });
  const handle = await made;
  const node = new AudioWorkletNode(context, "player", { outputChannelCount: [2] });
  node.connect(context.destination);
  await connectWorklet(domain, node, { name: "player", data: { stream: handle } });

  const ask = (): Promise<Counts> =>
    new Promise((got) => {
      node.port.onmessage = ({ data }: MessageEvent<Counts>) => got(data);
      node.port.postMessage("report");
    });
  await new Promise((done) => setTimeout(done, 1000));
  const [before, begin] = [await ask(), context.currentTime];
  await new Promise((done) => setTimeout(done, seconds * 1000));

  const [after, end] = [await ask(), context.currentTime];
  await source.terminate();
  await context.close();
  return {
    perSecond: (after.quanta - before.quanta) / (end - begin),
    gaps: after.underruns - before.underruns,
    errors: after.errors,
  };
});
