import { Domain } from "dmabuf";

using domain = Domain.create({ validate: true });
using timeline = domain.createTimeline();
const fence = timeline.createFence();
const handle = fence.handle(); // others know it from here on
domain.signalling(() => {
  // what is left to be done for it
  fence.signal();
});
console.log(handle.kind, domain.reports.length); // "fence" 0
