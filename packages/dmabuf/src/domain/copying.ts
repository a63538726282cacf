/** For which of its calls the library copies bytes of buffers. Their numbers in shared memory are their places in the list. */
export type CopyReason =
  | "frame.copy()"
  | "access.copy()"
  | "buffer.move()"
  | "window.pointerTo()"
  | "readableStreamFrom()"
  | "writableStreamFrom()"
  | "writableFrom()"
  | "display.present()"
  | "exportGPUBuffer()"
  | "copyVideoFrame()"
  | "toVideoFrame()"
  | "AudioReader.read()"
  | "AudioWriter.write()";

export const COPY_REASONS: readonly CopyReason[] = [
  ...(["frame.copy()", "access.copy()", "buffer.move()", "window.pointerTo()"] as const),
  ...(["readableStreamFrom()", "writableStreamFrom()", "writableFrom()", "display.present()"] as const),
  ...(["exportGPUBuffer()", "copyVideoFrame()", "toVideoFrame()"] as const),
  ...(["AudioReader.read()", "AudioWriter.write()"] as const),
];

/** Keeps account of what an agent copies. */
export interface CopyLog {
  add(why: CopyReason, bytes: number): void;
}
