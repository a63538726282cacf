/** A process that is no member fills a stream. */
import { fork } from "node:child_process";
import { imageFormat } from "dmabuf";
import { ProcessDomain, StreamContributor } from "dmabuf/node";

const place = process.argv[2];
if (place === undefined) {
  using domain = ProcessDomain.create();
  using stream = domain.createStream({ name: "camera", format: imageFormat("NV12", 640, 480) });
  using consumer = stream.frames();
  const here = `@contributor-${process.pid}`;
  // Its end is the stream's, and if it dies, the stream fails with ESRCH.
  using _server = domain.serveContributors(here, stream, { ends: true });
  fork(new URL(import.meta.url), [here]);
  for await (using frame of consumer) console.log(frame.sequence, frame.data, frame.planes[0].bytes[0]);
} else {
  using contributor = await StreamContributor.connect(place, { name: "child" });
  for (let i = 0; i < 3; i++) {
    using loan = await contributor.loan();
    loan?.planes[0].bytes.fill(16 + i);
    await loan?.publish({ timestamp: i * 40, data: { exposure: 8 } });
  }
  contributor.end();
}
