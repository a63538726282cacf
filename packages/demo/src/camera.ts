import { basename } from "node:path";
import { DmaBufError, type FrameStream, type Loan } from "dmabuf";
import { record, type VideoDevice } from "dmabuf/linux";
import type { Video } from "./video.js";

/** The largest image that the demo asks for. */
const WIDTH = 1280;
const HEIGHT = 720;
const FRAME_RATE = 30;
/** Milliseconds for an image. */
const LATE = 10_000;

/** Whether a name is that of a camera. */
export function isCamera(file: string | undefined): file is string {
  return file !== undefined && /^\/dev\/video\d+$/.test(file);
}

/**
 * Sets a camera to the demo's format.
 *
 * @throws {DmaBufError} `EOPNOTSUPP` if it is no camera, or has no NV12 images in one piece.
 */
export function videoOf(camera: VideoDevice): Video {
  const { captures, streams, card } = camera.capabilities;
  if (!captures || !streams) throw new DmaBufError("EOPNOTSUPP", `${camera.path} (${card}) is no camera`);
  const { pixelFormat, width, height, planes } = camera.setFormat("capture", {
    pixelFormat: "NV12",
    width: WIDTH,
    height: HEIGHT,
  });
  const isPlain = planes.length === 1 && planes[0]!.stride === width && planes[0]!.size === (width * height * 3) / 2;
  if (pixelFormat !== "NV12" || !isPlain) {
    const formats = camera.pixelFormats("capture").join(", ");
    throw new DmaBufError("EOPNOTSUPP", `${camera.path} gives no NV12 images without gaps: it has ${formats}`);
  }
  return {
    input: camera.path,
    name: `${card} (${basename(camera.path)})`,
    width,
    height,
    frameRate: FRAME_RATE,
    duration: undefined,
    hasSound: false,
    colour: { matrix: height >= HEIGHT ? "bt709" : "bt601", fullRange: false },
    everyFrameOnce: [],
  };
}

export interface FilmOptions {
  readonly frames?: number | undefined;
  readonly signal: AbortSignal;
  /** Ends the film as if it ended here. */
  readonly stop: AbortSignal;
  readonly publish: (loan: Loan) => void;
}

/**
 * Takes a camera's images, each straight into a loan.
 *
 * @returns How many were published.
 */
export async function film(camera: VideoDevice, stream: FrameStream, options: FilmOptions): Promise<number> {
  const { frames, signal, stop } = options;
  let count = 0;
  try {
    return await record(camera, stream, {
      timeout: LATE,
      signal: AbortSignal.any([signal, stop]),
      ...(frames !== undefined && { frames }),
      publish: (loan) => {
        options.publish(loan);
        count++;
      },
    });
  } catch (error) {
    if (stop.aborted && !signal.aborted) return count;
    throw error;
  }
}
