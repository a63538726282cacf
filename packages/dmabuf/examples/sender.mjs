// sender.mjs: draws pictures into shared memory, for every process that asks for them
import { setTimeout as sleep } from "node:timers/promises";
import { imageFormat } from "dmabuf";
import { ProcessDomain } from "dmabuf/node";

const domain = ProcessDomain.listen("./frames.socket"); // this user's processes can connect here
const stream = domain.createStream({ name: "camera", format: imageFormat("RGBA", 1920, 1080) });
console.log("Waiting for node receiver.mjs in another terminal");
await stream.waitForConsumers(1);

for (let n = 0; n < 1000; n++) {
  const loan = await stream.loan(); // a buffer that no receiver reads any more
  loan.planes[0].bytes.fill(n % 256); // 8 MB, written once and never copied
  loan.publish();
  if (n % 100 === 0) console.log("sent frame", n);
  await sleep(20);
}
domain.close(); // ends the receivers' loops
