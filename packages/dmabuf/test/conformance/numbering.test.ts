import { Domain as LeanDomain } from "../../src/streams.js";
import { rawFormat } from "../../src/stream/format.js";
import { streamed } from "../streams.js";
import { numberingFacts } from "./numbering.js";

numberingFacts("threads", (t, buffers) => Promise.resolve(streamed(t, buffers)));

numberingFacts("streams alone", (t, buffers) => {
  const domain = LeanDomain.create();
  t.after(() => domain.close());
  const other = LeanDomain.join(domain.invite());
  t.after(() => other.close());
  const stream = domain.createStream({ format: rawFormat(8), buffers });
  return Promise.resolve({ stream, theirs: other.import(stream.handle()) });
});
