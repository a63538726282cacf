import { subscribe } from "node:diagnostics_channel";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Domain } from "dmabuf";
import { readTrace } from "dmabuf/node";

// One point, as it happens.
subscribe("dmabuf:fence:signaled", (message) => console.log("signaled:", message));

// All points, in a file that outlives the program; mostly by DMABUF_TRACE=1 in its environment.
const folder = mkdtempSync(join(tmpdir(), "traces-"));
using domain = Domain.create({ name: "main", trace: folder });
using timeline = domain.createTimeline({ name: "gpu" });
timeline.createFence();
timeline.signal(1, "EIO");

for (const { agent, events } of readTrace(folder)) {
  for (const { at, point, thing, name } of events) console.log(at, agent.name, point, thing, name);
}
