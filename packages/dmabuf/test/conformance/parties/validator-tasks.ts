/** Mistakes that another agent can be asked to make, and what its validator has said. */
import { DmaBufError, type Fence, type StreamHandleData } from "../../../src/index.js";
import { pause } from "../../agents.js";
import { reservationOf, type Scene } from "./scene.js";

const FENCE = { driverName: "driver", timelineName: "line" };

export interface Said {
  readonly code: string;
  readonly message: string;
  readonly url: string;
  /** How many places it names. */
  readonly places: number;
}

/** What it has reported until now. */
export function reports({ domain }: Scene): Said[] {
  return domain.reports.map(({ code, message, url, places }) => ({ code, message, url, places: places.length }));
}

const FENCE_MISTAKES = {
  "FEN-30": ({ domain }: Scene) => void domain.createFence(FENCE).isLater(domain.createFence(FENCE)),
  "FEN-35": (scene: Scene) => {
    const fence = ownFence(scene);
    fence.addCallback(() => {});
    fence[Symbol.dispose]();
  },
  "FEN-38": (scene: Scene) => ownFence(scene).setError(1),
};

export function fenceMistake(scene: Scene, which: keyof typeof FENCE_MISTAKES): void {
  FENCE_MISTAKES[which](scene);
}

/** Adds a container to a buffer, or a fence without reserved room. */
export async function addWrongly(scene: Scene, buffer: string, which: "container" | "no room"): Promise<void> {
  const { domain } = scene;
  const reservation = reservationOf(scene, buffer);
  using _lock = await reservation.lock();
  if (which === "container") reservation.reserveFences(1);
  const fence = which === "container" ? domain.createFenceArray([ownFence(scene)]) : ownFence(scene);
  try {
    reservation.addFence(fence, "write");
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
  }
}

/** Takes a buffer to read, and writes to it if that is asked for. */
export async function readAndWrite({ buffers }: Scene, buffer: string, writes: boolean): Promise<void> {
  using access = await buffers.get(buffer)!.access("read");
  if (writes) access.bytes[3]! ^= 255;
}

/** The same with the next frame of a stream. */
export async function readAndWriteFrame(
  { domain, begun }: Scene,
  handle: StreamHandleData,
  writes: boolean,
): Promise<void> {
  using stream = domain.import(handle);
  using consumer = stream.frames();
  begun();
  using frame = (await consumer.next())!;
  if (writes) frame.bytes[3]! ^= 255;
}

/** Blocks for a fence that only it could signal. */
export function blockForOwn(scene: Scene): string | undefined {
  try {
    ownFence(scene).waitSync();
    return undefined;
  } catch (error) {
    return error instanceof DmaBufError ? error.code : undefined;
  }
}

/** Runs a job that goes on after its end, or does all in time. */
export async function runJob({ domain, buffers }: Scene, buffer: string, isLate: boolean): Promise<void> {
  const used = buffers.get(buffer)!;
  let over: Promise<void> = Promise.resolve();
  using queue = domain.createQueue({
    run(job) {
      const access = job.access(used);
      over = pause(20).then(() => void access.bytes.fill(1));
      return isLate ? undefined : over;
    },
  });
  await (await queue.submit({ writes: [used] })).wait();
  await over.catch(() => {});
}

function ownFence({ domain }: Scene): Fence {
  return domain.createFence(FENCE);
}
