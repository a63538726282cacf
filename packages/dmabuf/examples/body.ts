// Frames in the body of a Response, and a body into frames: node dist/examples/body.js
import { Domain, rawFormat } from "dmabuf";
import { readableStreamFrom, writableStreamFrom } from "dmabuf/web";

using domain = Domain.create();
using sent = domain.createStream({ name: "sent", format: rawFormat(64), buffers: 2 });
using received = domain.createStream({ name: "received", format: rawFormat(64), buffers: 2 });
const frames = received.frames();

const response = new Response(readableStreamFrom(sent.frames()).pipeThrough(new CompressionStream("gzip")));
const piped = response.body?.pipeThrough(new DecompressionStream("gzip")).pipeTo(writableStreamFrom(received));

for (const text of ["each frame is", "a chunk of the body"]) {
  using loan = await sent.loan();
  if (loan !== undefined) new TextEncoder().encodeInto(text, loan.bytes);
  loan?.publish({ length: text.length });
}
sent.end();
for await (using frame of frames) console.log(frame.length, new TextDecoder().decode(frame.copy()));
await piped;
