import type { Domain } from "dmabuf";
import { replayFrom } from "dmabuf/web/recording";
import { RECORDING } from "../../shared/recording.js";
import { Brake } from "./brake.js";
import { announce, BUFFERS, type Stage } from "./stage.js";

/** What was recorded, again and again, from the disk into the frames. */
export async function playRecording(stage: Stage): Promise<void> {
  const { domain, heap, tempo, signal } = stage;
  // The replay's frames, too, lie in the memory of the WebAssembly modules.
  const maker: Pick<Domain, "createStream"> = {
    createStream: (options) => domain.createStream({ ...options, name: "pictures", heap }),
  };
  const root = await navigator.storage.getDirectory();
  const file = await (await root.getFileHandle(RECORDING)).createSyncAccessHandle();
  try {
    while (!signal.aborted) {
      const stream = await replayFrom(file, maker, { buffers: BUFFERS, rate: tempo.pace, signal });
      const { width = 0, height = 0, pixelFormat = "" } = stream.format;
      announce(stage, stream, { text: `Recording, ${width} × ${height}, ${pixelFormat}`, making: "read" });
      const brake = new Brake(stream);
      while (!stream.hasEnded && !signal.aborted) {
        brake.set(!tempo.isRunning);
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
      stream.close();
    }
  } finally {
    file.close();
  }
}
