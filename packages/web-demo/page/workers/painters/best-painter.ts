import { ImageDataPainter } from "./image-data-painter.js";
import type { Painter } from "./painter.js";
import { VideoFramePainter } from "./video-frame-painter.js";
import { WebGlPainter } from "./webgl-painter.js";

/** The best way that there is: without a copy, with the browser's copy, or with one of our own. */
export function bestPainter(canvas: OffscreenCanvas): Painter {
  const gl = canvas.getContext("webgl2", { antialias: false, alpha: false });
  if (gl !== null) return new WebGlPainter(gl);
  const context = canvas.getContext("2d", { alpha: false });
  if (context === null) throw new Error("This engine gives the worker neither WebGL2 nor a canvas in two dimensions.");
  return typeof VideoFrame === "undefined" ? new ImageDataPainter(context) : new VideoFramePainter(context);
}
