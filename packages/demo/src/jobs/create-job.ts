import { Checksums } from "./checksums.js";
import { Histogram } from "./histogram.js";
import type { Job, JobSettings } from "./job.js";
import { MotionSimd } from "./motion-simd.js";
import { Motion } from "./motion.js";
import { Preview } from "./preview.js";
import { Thumbnails } from "./thumbnails.js";
import { moduleMemory } from "../memory.js";

/** @param memory For a module, where frames are in it. */
export function createJob(settings: JobSettings, memory?: WebAssembly.Memory): Job {
  switch (settings.name) {
    case "motion":
      return new Motion();
    case "motion-simd":
      return new MotionSimd(memory ?? moduleMemory(), settings);
    case "histogram":
      return new Histogram();
    case "thumbnails":
      return new Thumbnails(settings);
    case "preview":
      return new Preview(settings);
    case "checksums":
      return new Checksums(settings);
  }
}
