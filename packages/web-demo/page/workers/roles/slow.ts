import type { Frame, FrameFormat } from "dmabuf";
import { Lane, type LaneWork } from "../lane.js";
import type { RoleContext } from "../role.js";

/** Keeps each frame for a while, as a consumer does that is too slow. */
export async function run(context: RoleContext): Promise<void> {
  const slow = new Slow();
  new Lane(context, slow, (ms) => (slow.delay = ms));
}

class Slow implements LaneWork {
  /** Milliseconds. */
  delay = 200;
  #sequence = 0;

  begin(_format: FrameFormat): void {}

  async shared(frame: Frame): Promise<void> {
    this.#sequence = frame.sequence;
    await new Promise((resolve) => setTimeout(resolve, this.delay));
    frame.close();
  }

  async posted(): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, this.delay));
  }

  /** The number of the frame. */
  values(): readonly number[] {
    return [this.#sequence];
  }

  end(): void {}
}
