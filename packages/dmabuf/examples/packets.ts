// Packets of different lengths, with data of a type: node dist/examples/packets.js
import { Domain, rawFormat } from "dmabuf";

type Packet = { readonly title: string };

using domain = Domain.create();
using stream = domain.createStream({ name: "packets", format: rawFormat(65_536) }); // the most bytes of one packet
using consumer = stream.frames<Packet>();

for (const [title, text] of Object.entries({ first: "hello", second: "a longer text", third: "" })) {
  using loan = await stream.loan();
  if (loan === undefined) break;
  const { written } = new TextEncoder().encodeInto(text, loan.bytes); // into the shared memory itself
  loan.publish({ length: written, data: { title } });
}
stream.end();

for await (using frame of consumer) {
  console.log(frame.data?.title, frame.length, "bytes:", new TextDecoder().decode(frame.bytes));
}
