import { streamOfTrack } from "dmabuf/web";
import { choose, feedChanges, newMemory, useOwn } from "./session.js";
import { clear, sayError } from "./troubles.js";
import { domain } from "./world.js";

/** The camera's pictures: the page has the track, so the page makes the stream. */

const BUFFERS = 8;
const HEAP = "camera";

let memory: WebAssembly.Memory | undefined;
let stop = (): void => {};

/** Asks for the camera, and shows it. */
export async function useCamera(): Promise<void> {
  clear("camera");
  const devices = navigator.mediaDevices as MediaDevices | undefined;
  if (devices === undefined) {
    return sayError(
      "camera",
      new Error("This page may not ask for a camera."),
      "Serve it by HTTPS, or from localhost.",
    );
  }
  try {
    const media = await devices.getUserMedia({ video: { width: 1280, height: 720 } });
    const [track] = media.getVideoTracks();
    if (track === undefined) throw new Error("The camera gives no video.");
    choose({ kind: "camera" });
    await show(track);
  } catch (error) {
    sayError("camera", error, "Plug a camera in, and allow this page to use it. The other sources play without one.");
  }
}

/** Until another source is chosen. A stream ends when the picture's size changes, and the next one begins. */
async function show(track: MediaStreamTrack): Promise<void> {
  let isOver = false;
  stop = () => {
    isOver = true;
    track.stop();
  };
  if (memory === undefined) {
    memory = newMemory();
    domain().heaps.addModuleMemory(HEAP, memory);
  }
  while (!isOver && track.readyState === "live") {
    const stream = await streamOfTrack(domain(), track, { name: "pictures", buffers: BUFFERS, heap: HEAP });
    if (isOver) return stream.close();
    const { width = 0, height = 0, pixelFormat = "" } = stream.format;
    useOwn(stream, memory, { text: `Camera, ${width} × ${height}, ${pixelFormat}`, making: "taken" });
    while (!stream.hasEnded && !stream.isClosed) await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

feedChanges.addEventListener("own-ended", () => stop());
