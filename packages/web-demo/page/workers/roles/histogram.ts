import type { Frame, FrameFormat } from "dmabuf";
import type { LaneReport, PostedFrame } from "../../shared/messages.js";
import type { Counter } from "../histograms/counter.js";
import { gpuCounter } from "../histograms/gpu-counter.js";
import { plainCounter } from "../histograms/plain-counter.js";
import { Lane, type LaneWork, type SharedFeed } from "../lane.js";
import { reporter, type RoleContext } from "../role.js";

/** How many pixels are how bright: by WebGPU, or by JavaScript. */
export async function run(context: RoleContext): Promise<void> {
  const report = reporter<LaneReport>(context);
  const gpu = await gpuCounter(context.domain);
  const counter = typeof gpu === "string" ? plainCounter(gpu) : gpu;
  const histogram = new Histogram(counter, (how, missing) => {
    report({ kind: "how", how, ...(missing !== undefined && { missing }) });
  });
  // A device that is lost takes its work with it, but not the lane: JavaScript counts on.
  if (typeof gpu !== "string") {
    void gpu.lost.then((why) => histogram.replace(plainCounter(`The graphics processor was lost: ${why}`)));
  }
  new Lane(context, histogram);
}

/** Within so many milliseconds a device that is lost says so. */
const LOST = 500;

class Histogram implements LaneWork {
  readonly #says: (how: string, missing: string | undefined) => void;
  #counter: Counter;
  #format: FrameFormat | undefined;
  #isShared = true;
  #bins: readonly number[] | undefined;

  constructor(counter: Counter, says: (how: string, missing: string | undefined) => void) {
    this.#counter = counter;
    this.#says = says;
  }

  replace(counter: Counter): void {
    this.#counter = counter;
    if (this.#format !== undefined) this.#begin(this.#format);
  }

  begin(format: FrameFormat, feed: SharedFeed | undefined): void {
    this.#format = format;
    this.#isShared = feed !== undefined;
    this.#begin(format);
  }

  async shared(frame: Frame): Promise<void> {
    try {
      await this.#count(async (counter) => counter.shared(frame));
    } finally {
      frame.close();
    }
  }

  posted(frame: PostedFrame): Promise<void> {
    return this.#count(async (counter) => counter.posted(frame));
  }

  values(): readonly number[] | undefined {
    return this.#bins;
  }

  end(): void {}

  #begin(format: FrameFormat): void {
    const { how, missing } = this.#counter;
    this.#counter.begin(format);
    this.#says(`${how}, ${this.#isShared ? "from the shared memory itself" : "from a copy that was posted"}`, missing);
  }

  async #count(run: (counter: Counter) => Promise<readonly number[]>): Promise<void> {
    const counter = this.#counter;
    try {
      this.#bins = await run(counter);
    } catch (error) {
      await new Promise((resolve) => setTimeout(resolve, LOST));
      if (counter === this.#counter) throw error;
    }
  }
}
