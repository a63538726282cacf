import { DmaBufError, type FrameStream } from "dmabuf";
import { recordTo } from "dmabuf/web/recording";
import { RECORDING } from "../../shared/recording.js";
import { troubleOf, type RecordOrder, type RecordReport } from "../../shared/messages.js";
import { onOrder, reporter, type RoleContext } from "../role.js";

/** Writes the frames of some seconds to a file of this page's own, from where they lie. */
export async function run(context: RoleContext): Promise<void> {
  const report = reporter<RecordReport>(context);
  onOrder<RecordOrder>(context, (order) => void record(context, order).then(report));
}

async function record({ domain }: RoleContext, { handle, seconds }: RecordOrder): Promise<RecordReport> {
  let stream: FrameStream | undefined;
  let file: FileSystemSyncAccessHandle | undefined;
  try {
    stream = domain.import(handle);
    const root = await navigator.storage.getDirectory();
    file = await (await root.getFileHandle(RECORDING, { create: true })).createSyncAccessHandle();
    // It may miss some where the disk is slower than the pictures: the others do not wait for it.
    const consumer = stream.frames({ policy: "drop-oldest" });
    const signal = AbortSignal.timeout(seconds * 1000);
    const { frames, bytes } = await recordTo(file, consumer, { signal });
    return { kind: "recorded", frames, bytes };
  } catch (error) {
    const bytes = file?.getSize();
    const trouble = troubleOf(error, remedyFor(error, bytes));
    return { kind: "trouble", trouble, ...(bytes !== undefined && { bytes }) };
  } finally {
    stream?.close();
    file?.close();
  }
}

/** @param bytes What was recorded, if the file was opened. */
function remedyFor(error: unknown, bytes: number | undefined): string {
  if (bytes === undefined) {
    return "A recording may be played or made just now, here or in another tab, or the browser stores nothing in private windows.";
  }
  const kept = bytes > 0 ? "What was recorded until then can be replayed." : "Nothing was recorded.";
  const isFull = error instanceof DmaBufError && error.code === "ENOSPC";
  return isFull ? `${kept} The disk is full, or the browser stores little in private windows.` : kept;
}
