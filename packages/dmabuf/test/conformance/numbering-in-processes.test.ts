import { ProcessDomain } from "../../src/node/index.js";
import { rawFormat } from "../../src/stream/format.js";
import { numberingFacts } from "./numbering.js";

let tried = 0;

numberingFacts("processes", async (t, buffers) => {
  const place = `@dmabuf-numbering-${process.pid}-${tried++}`;
  const domain = ProcessDomain.listen(place);
  t.after(() => domain.close());
  const other = await ProcessDomain.connect(place);
  t.after(() => other.close());
  const stream = domain.createStream({ format: rawFormat(8), buffers });
  return { stream, theirs: await other.findStream("stream") };
});
