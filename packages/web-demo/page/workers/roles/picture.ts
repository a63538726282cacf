import type { Frame, FrameFormat } from "dmabuf";
import type { LaneReport, PostedFrame } from "../../shared/messages.js";
import { Lane, type LaneWork, type SharedFeed } from "../lane.js";
import { reporter, type RoleContext } from "../role.js";
import { bestPainter } from "../painters/best-painter.js";
import type { Painter } from "../painters/painter.js";

/** Shows each picture on a canvas of the page's. */
export async function run(context: RoleContext): Promise<void> {
  const { canvas } = context;
  const report = reporter<LaneReport>(context);
  if (canvas === undefined) {
    const what = "This engine draws in no worker: OffscreenCanvas is missing.";
    return report({ kind: "trouble", trouble: { what, remedy: "The other lanes run on." } });
  }
  const painter = bestPainter(canvas);
  const { missing } = painter;
  new Lane(context, new Picture(canvas, painter, (how) => report({ kind: "how", how, ...(missing && { missing }) })));
}

class Picture implements LaneWork {
  readonly #canvas: OffscreenCanvas;
  readonly #painter: Painter;
  readonly #says: (how: string) => void;

  constructor(canvas: OffscreenCanvas, painter: Painter, says: (how: string) => void) {
    this.#canvas = canvas;
    this.#painter = painter;
    this.#says = says;
  }

  begin(format: FrameFormat, feed: SharedFeed | undefined): void {
    const { width = 1, height = 1 } = format;
    this.#canvas.width = width;
    this.#canvas.height = height;
    this.#painter.begin(format);
    this.#says(feed === undefined ? this.#painter.howPosted : this.#painter.how);
  }

  shared(frame: Frame): void {
    this.#painter.shared(frame);
    frame.close();
  }

  posted(frame: PostedFrame): void {
    this.#painter.posted(frame);
  }

  /** More pictures than the screen shows are not drawn. A hidden page has no animation frames. */
  async rest(): Promise<void> {
    await new Promise((resolve) => {
      setTimeout(resolve, 100);
      requestAnimationFrame(resolve);
    });
  }

  end(): void {}
}
