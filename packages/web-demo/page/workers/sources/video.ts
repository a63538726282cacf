import { decodeTo } from "dmabuf/web";
import { BlobSource, EncodedPacketSink, Input, MATROSKA, MP4, QTFF, UrlSource, WEBM } from "mediabunny";
import { announce, BUFFERS, type Stage } from "./stage.js";

/** A video, from its beginning again and again: its packets taken out of the file here, and decoded once, into the frames of a stream. */
export async function playVideo(stage: Stage, video: Blob | string, name: string): Promise<void> {
  const { domain, heap, tempo, signal } = stage;
  const source = typeof video === "string" ? new UrlSource(video) : new BlobSource(video);
  const input = new Input({ source, formats: [MP4, QTFF, WEBM, MATROSKA] });
  const track = await input.getPrimaryVideoTrack();
  const config = await track?.getDecoderConfig();
  if (track === null || config === null || config === undefined) throw new Error(`${name} has no video track.`);
  const text = `${name}, ${config.codedWidth} × ${config.codedHeight}, ${config.codec}`;
  const sink = await decodeTo(domain, config, {
    name: "pictures",
    buffers: BUFFERS,
    heap,
    onStream: (stream) => announce(stage, stream, { text, making: "decoded" }),
  });
  signal.addEventListener("abort", () => sink.close(), { once: true });
  try {
    const packets = new EncodedPacketSink(track);
    while (!signal.aborted) {
      for await (const packet of packets.packets()) {
        if (!(await tempo.turn(packet.duration * 1000, signal))) return;
        await sink.decode(packet.toEncodedVideoChunk());
      }
      await sink.flush();
    }
  } finally {
    sink.close();
  }
}
