/** A process of a host of its own, which works for others, or submits. It is told what by its arguments. */
import process from "node:process";
import { setTimeout as pause } from "node:timers/promises";
import { Hosts, type HostJob } from "../../src/hosts/index.js";
import { ProcessDomain } from "../../src/node/index.js";

const [, , what, servers, name] = process.argv;
const domain = ProcessDomain.create();
const hosts = await Hosts.join(domain, {
  name: name!,
  bind: "127.0.0.1",
  servers: servers!.split(","),
  hostLimit: 3_000,
});

/** Each byte is the sum of the input's and of the job's number. */
async function adds({ reads, writes, data }: HostJob): Promise<void> {
  await pause(20);
  using source = await reads[0]!.access("read");
  using target = await writes[0]!.access("write");
  for (let i = 0; i < target.bytes.length; i++) target.bytes[i] = source.bytes[i]! + Number(data);
}

if (what === "work") {
  hosts.work("sums", { slots: 2 }, async (job) => {
    process.send!({ begun: job.data, delivery: job.delivery });
    await adds(job);
  });
} else if (what === "slow") {
  hosts.work("sums", { slots: 1 }, async (job) => {
    process.send!({ begun: job.data, delivery: job.delivery });
    await pause(500);
    await adds(job);
  });
} else {
  const queue = hosts.createQueue({ name: "sums" });
  const [source, target] = [domain.allocate(4096), domain.allocate(4096)];
  for (let i = 0; i < 5; i++) await queue.submit({ reads: [source], writes: [target], data: i });
}
process.send!({ ready: true });
