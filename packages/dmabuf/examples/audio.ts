// Audio by looks that never wait, as a callback of audio must: node dist/examples/audio.js
import { audioFormat, Domain } from "dmabuf";

const RATE = 48_000;
using domain = Domain.create();
const format = audioFormat({ channels: 2, rate: RATE, samples: 128, layout: "planar" }); // as Web Audio has it
using stream = domain.createStream({ name: "tone", format });
using consumer = stream.frames();

/** Fills a frame if one is free. */
function produce(frames: number): boolean {
  using loan = stream.tryLoan();
  if (loan === undefined) return false;
  for (const channel of loan.samples) {
    for (let i = 0; i < channel.length; i++) channel[i] = Math.sin((2 * Math.PI * 440 * (frames * 128 + i)) / RATE);
  }
  loan.publish();
  return true;
}

/** Plays what there is, and silence if there is nothing. */
function play(outputs: readonly Float32Array[]): void {
  using frame = consumer.tryNext();
  outputs.forEach((output, i) => (frame === undefined ? output.fill(0) : output.set(frame.samples[i] ?? [])));
}

const outputs = [new Float32Array(128), new Float32Array(128)];
let [produced, silent] = [0, 0];
for (let i = 0; i < 100; i++) {
  if (i < 90 && produce(produced)) produced++;
  play(outputs);
  if (outputs[0]?.every((sample) => sample === 0)) silent++;
}
console.log(produced, "frames were played, and", silent, "times there was none");
