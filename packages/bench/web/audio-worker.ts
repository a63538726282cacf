/** Makes a tone, as fast as it is played. */
import { audioFormat, Domain } from "dmabuf";
import { joinFromPage } from "dmabuf/web";

const { domain } = await joinFromPage(Domain);
const stream = domain.createStream({
  format: audioFormat({ channels: 2, rate: 48_000, samples: 512, layout: "planar" }),
  buffers: 16,
});
postMessage(stream.handle());
let at = 0;
for await (const loan of stream.loans()) {
  const [left, right] = loan.samples;
  for (let i = 0; i < left.length; i++, at++) left[i] = right![i] = Math.sin((at * 440 * 2 * Math.PI) / 48_000) / 10;
  loan.publish();
}
