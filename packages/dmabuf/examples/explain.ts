import { Domain, DmaBufError } from "dmabuf";

using domain = Domain.create();
// Mostly another thread, or with dmabuf/node another process.
using detector = Domain.join(domain.invite({ name: "detector" }), { debug: true });

using frame = domain.allocate(4096, { name: "frame" });
using access = await detector.import(frame.handle()).access("write");
access.bytes.fill(7);
await new Promise((resolve) => setTimeout(resolve, 300));

try {
  await frame.access("read", { timeout: 10 });
} catch (error) {
  if (!(error instanceof DmaBufError)) throw error;
  // agent "detector" holds a write access of buffer "frame" for 0.3 s, taken at explain.js:9, and waits for nothing …
  console.log(error.explanation?.sentence);
  console.log(error.explanation?.root?.name); // detector
}
console.log(domain.explain(frame).tree);
