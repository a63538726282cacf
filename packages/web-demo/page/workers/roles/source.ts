import { RECORDING } from "../../shared/recording.js";
import { troubleOf, type Choice, type SourceOrder, type SourceReport, type Trouble } from "../../shared/messages.js";
import { onOrder, reporter, type RoleContext } from "../role.js";
import { Copier } from "../sources/copier.js";
import { playPattern } from "../sources/pattern.js";
import type { Stage } from "../sources/stage.js";
import { playStill } from "../sources/still.js";
import { Tempo } from "../sources/tempo.js";

/** The memory that the frames share with WebAssembly modules. */
const HEAP = "module";

/** Makes the pictures: one source at a time, each in streams of its own. */
export async function run(context: RoleContext): Promise<void> {
  const { domain } = context;
  const report = reporter<SourceReport>(context);
  const fail = (error: unknown): void => report({ kind: "trouble", trouble: troubleOf(error) });
  const tempo = new Tempo();
  const copier = new Copier(fail);
  let stop = new AbortController();
  let last = Promise.resolve();
  onOrder<SourceOrder>(context, (order) => {
    if (order.kind === "running") return tempo.set(order.isRunning, order.pace);
    if (order.kind === "copies") {
      copier.setPorts(order.ports);
      return report({ kind: "switched", handOver: order.ports.length > 0 ? "copies" : "shared" });
    }
    stop.abort();
    stop = new AbortController();
    const { signal } = stop;
    const { choice, memory } = order;
    // The same memory for as long as this worker lives: what an old stream had in it is used again.
    if (!domain.heaps.names.includes(HEAP)) domain.heaps.addModuleMemory(HEAP, memory);
    const stage: Stage = { domain, heap: HEAP, tempo, copier, signal, report };
    last = last
      .then(async () => play(stage, choice))
      .catch((error: unknown) => {
        if (signal.aborted) return;
        report({ kind: "trouble", trouble: { ...troubleOf(error), remedy: remedyFor(choice) } });
        return playPattern(stage);
      })
      .catch((error: unknown) => {
        if (!signal.aborted) fail(error);
      });
  });
}

const IMAGES = /\.(png|jpe?g|gif|webp|avif|bmp)$/i;

async function play(stage: Stage, choice: Choice): Promise<void> {
  switch (choice.kind) {
    case "pattern":
      return playPattern(stage);
    case "clip": {
      const { default: clip } = await import("dmabuf-demo/assets/clip.mp4?url");
      const { playVideo } = await import("../sources/video.js");
      return playVideo(stage, new URL(clip, import.meta.url).href, "The clip");
    }
    case "file": {
      const { file } = choice;
      if (file.type.startsWith("image/") || IMAGES.test(file.name)) return playStill(stage, file, file.name);
      const { playVideo } = await import("../sources/video.js");
      return playVideo(stage, file, file.name);
    }
    case "recording": {
      const { playRecording } = await import("../sources/recording.js");
      return playRecording(stage);
    }
    case "camera":
      // The page has the camera, and makes that stream itself.
      return;
  }
}

function remedyFor(choice: Choice): NonNullable<Trouble["remedy"]> {
  switch (choice.kind) {
    case "clip":
      return "The test pattern plays instead: every lane lives on it. A browser with WebCodecs and H.264 plays the clip.";
    case "file":
      return "The test pattern plays instead. Choose a video that this browser plays (MP4, WebM), or a picture.";
    case "recording":
      return `The test pattern plays instead. Record some seconds first (“${RECORDING}”).`;
    default:
      return "The test pattern plays instead.";
  }
}
