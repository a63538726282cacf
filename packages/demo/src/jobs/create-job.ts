import { Checksums } from "./checksums.js";
import { Histogram } from "./histogram.js";
import type { Job, JobSettings } from "./job.js";
import { Motion } from "./motion.js";
import { Preview } from "./preview.js";
import { Thumbnails } from "./thumbnails.js";

export function createJob(settings: JobSettings): Job {
  switch (settings.name) {
    case "motion":
      return new Motion();
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
