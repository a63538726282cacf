// Frames for other processes. In one terminal: node dist/examples/producer.js
import { setTimeout as sleep } from "node:timers/promises";
import { imageFormat } from "dmabuf";
import { ProcessDomain } from "dmabuf/node";

using domain = ProcessDomain.listen(process.argv[2] ?? "@camera"); // for this user's processes; a path does as well
using stream = domain.createStream({ name: "camera", format: imageFormat("NV12", 1920, 1080) });
console.log("listening: start as many consumers as you like, kill them, start them again");
await stream.waitForConsumers(1);

for (let n = 0; n < 100; n++) {
  using loan = await stream.loan();
  if (loan === undefined) break;
  loan.planes[0].bytes.fill(n); // draw into the shared memory itself
  loan.publish({ data: { title: `frame ${n}` } });
  await sleep(20);
}
console.log("published 100 frames"); // closing the stream ends the consumers' loops
