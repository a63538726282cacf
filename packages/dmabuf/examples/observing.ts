import { imageFormat } from "dmabuf";
import { ProcessDomain } from "dmabuf/node";

// Mostly other processes, which know nothing of this one, and may hang.
using domain = ProcessDomain.listen("@observing-example", { name: "camera" });
using stream = domain.createStream({ name: "preview", format: imageFormat("RGBA", 64, 48), buffers: 3 });
using consumer = stream.frames();
using loan = await stream.loan();
loan?.bytes.fill(128);
loan?.publish();
using frame = await consumer.next();
frame?.copy();

// Which domains are there?
for (const { domain: id, agents, places, refused } of ProcessDomain.domains().domains) {
  console.log(refused ?? `${id} of ${agents.map(({ name }) => name).join(", ")} at ${places.join(", ")}`);
}

using observer = ProcessDomain.observe("@observing-example");
const { agents, buffers, streams, copies } = observer.snapshot();
const nameOf = (identity: number): string => agents.find((agent) => agent.identity === identity)?.name ?? "(gone)";

for (const { name, producer, format, published, places } of streams) {
  const states = places.map(({ state }) => state).join(", ");
  console.log(
    `${name}: ${format?.width} × ${format?.height} by ${nameOf(producer)}, ${published} published: ${states}`,
  );
}
for (const { inode, name, size, readers } of buffers) {
  console.log(`buffer ${inode} "${name}": ${size} bytes, read by [${readers.map(nameOf).join(", ")}]`);
}
for (const { agent, why, bytes, times } of copies) console.log(nameOf(agent), why, bytes, "bytes,", times, "time");

const held = buffers.find(({ readers }) => readers.length > 0);
if (held !== undefined) console.log("the picture begins with", observer.bytesOf(held.inode, { length: 4 }));
