import { audioFormat, type FrameStream } from "dmabuf";
import type { ToneReport } from "../../shared/messages.js";
import { reporter, type RoleContext } from "../role.js";

const RATE = 48_000;
/** Of each channel, in a frame: eight quanta of an AudioWorklet. */
const SAMPLES = 1024;
/** A third of a second ahead: whatever else this machine does, the tone has no gap. */
const BUFFERS = 16;

/** Makes a tone that swells and fades, ahead of the one that plays it by as much as the ring has room for. */
export async function run(context: RoleContext): Promise<void> {
  const format = audioFormat({ channels: 2, rate: RATE, samples: SAMPLES, layout: "planar" });
  const stream = context.domain.createStream({ name: "tone", format, buffers: BUFFERS });
  reporter<ToneReport>(context)({ kind: "stream", handle: stream.handle() });
  await stream.waitForConsumers(1);
  await play(stream);
}

async function play(stream: FrameStream): Promise<void> {
  let sample = 0;
  for await (const loan of stream.loans()) {
    for (const [channel, samples] of loan.samples.entries()) {
      for (let i = 0; i < SAMPLES; i++) {
        const seconds = (sample + i) / RATE;
        // Two strings that are a little apart: what one hears of it is a beat.
        const pitch = channel === 0 ? 220 : 220.7;
        const swell = 0.55 + 0.45 * Math.sin(2 * Math.PI * 0.25 * seconds);
        const wave = Math.sin(2 * Math.PI * pitch * seconds) + 0.4 * Math.sin(2 * Math.PI * 3 * pitch * seconds);
        samples[i] = 0.25 * swell * wave;
      }
    }
    sample += SAMPLES;
    loan.publish();
    loan.close();
  }
}
