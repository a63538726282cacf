/** The producer of pictures, or one of its consumers. */
import { Domain, rawFormat, type Consumer, type FrameStream, type Loan, type StreamHandleData } from "dmabuf";
import { joinFromPage } from "dmabuf/web";
import { EncodedPacketSink, Input, MP4, UrlSource } from "mediabunny";

export type Way = "stream" | "stream, awaited" | "VideoFrame.clone()" | "postMessage";

interface Picture {
  readonly width: number;
  readonly height: number;
  /** Where a video is whose decoded frames are the pictures; else each is made of bytes. */
  readonly clip?: string | undefined;
  /** How many are handed over in a round. */
  readonly frames: number;
}

export type Role = Picture &
  (
    | { readonly name: "producer"; readonly ports: readonly MessagePort[] }
    | { readonly name: "consumer"; readonly port: MessagePort; readonly stream: StreamHandleData }
  );

export interface Order {
  readonly does: "prepare" | "send" | "read";
  readonly way?: Way;
}

const BUFFERS = 4;

const { domain, data: role } = await joinFromPage<Domain, Role>(Domain);
// It is answered by one of two functions, each with what it keeps.
const answer = role.name === "producer" ? await producing(role) : consuming(role);
onmessage = ({ data }: MessageEvent<Order>) => void answer(data).then((result) => postMessage(result));

async function producing({ ports, ...picture }: Role & { readonly name: "producer" }) {
  const pictures = picture.clip === undefined ? [painted(picture)] : await decoded(picture.clip, picture.frames);
  const pictureAt = (n: number): VideoFrame => pictures[n % pictures.length]!;
  const size = pictureAt(0).allocationSize();
  const stream = domain.createStream({ format: rawFormat(size), buffers: BUFFERS });
  let [acknowledged, heard] = [0, (): void => {}];
  for (const port of ports) port.onmessage = () => (acknowledged++, heard());
  const acknowledgements = async (count: number): Promise<void> => {
    while (acknowledged < count) await new Promise<void>((resolve) => (heard = resolve));
  };

  const byStream = async (next: () => Loan | undefined | Promise<Loan | undefined>): Promise<void> => {
    await stream.waitForConsumers(ports.length);
    for (let n = 0; n < picture.frames; n++) {
      const loan = (await next())!;
      await pictureAt(n).copyTo(loan.bytes);
      loan.publish();
    }
    // Until all of them are given back.
    const last = await Promise.all(Array.from({ length: BUFFERS }, () => stream.loan()));
    for (const loan of last) loan!.close();
  };
  const byMessages = async (send: (n: number) => Promise<void>): Promise<void> => {
    acknowledged = 0;
    for (let n = 0; n < picture.frames; n++) {
      await acknowledgements(ports.length * (n - BUFFERS + 1));
      await send(n);
    }
    await acknowledgements(ports.length * picture.frames);
  };
  const ways: Readonly<Record<Way, () => Promise<void>>> = {
    stream: () => byStream(() => stream.loanSync()),
    "stream, awaited": () => byStream(() => stream.loan()),
    "VideoFrame.clone()": () =>
      byMessages(async (n) => {
        for (const port of ports) {
          const clone = pictureAt(n).clone();
          port.postMessage(clone, [clone]);
        }
      }),
    postMessage: () =>
      byMessages(async (n) => {
        const bytes = new Uint8Array(size);
        await pictureAt(n).copyTo(bytes);
        ports.forEach((port, at) => port.postMessage(bytes, at < ports.length - 1 ? [] : [bytes.buffer]));
      }),
  };
  return async ({ does, way }: Order): Promise<unknown> => {
    if (does === "prepare") return stream.handle();
    const begin = performance.now();
    await ways[way!]();
    return performance.now() - begin;
  };
}

function consuming({ port, stream: handle, frames }: Role & { readonly name: "consumer" }) {
  const stream: FrameStream = domain.import(handle);
  const consumer: Consumer = stream.frames();
  const own = new Uint8Array(stream.format.size);
  const fromStream = async (next: () => ReturnType<Consumer["nextSync" | "next"]>): Promise<void> => {
    for (let n = 0; n < frames; n++) {
      const frame = (await next())!;
      look(frame.bytes);
      frame.close();
    }
  };
  const fromPort = (take: (data: unknown) => Promise<void>): Promise<void> =>
    new Promise((done) => {
      let taken = 0;
      port.onmessage = async ({ data }) => {
        await take(data);
        port.postMessage(0);
        if (++taken === frames) done();
      };
    });
  const ways: Readonly<Record<Way, () => Promise<void>>> = {
    stream: () => fromStream(() => consumer.nextSync()),
    "stream, awaited": () => fromStream(() => consumer.next()),
    "VideoFrame.clone()": () =>
      fromPort(async (data) => {
        await (data as VideoFrame).copyTo(own);
        (data as VideoFrame).close();
        look(own);
      }),
    postMessage: () => fromPort(async (data) => look(data as Uint8Array)),
  };
  return async ({ way }: Order): Promise<unknown> => ways[way!]();
}

let seen = 0;

/** Reads from each cache line. */
function look(bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length; at += 64) seen = (seen + bytes[at]!) | 0;
}

function painted({ width, height }: Picture): VideoFrame {
  const bytes = new Uint8Array((width * height * 3) / 2).fill(77);
  return new VideoFrame(bytes, { format: "I420", codedWidth: width, codedHeight: height, timestamp: 0 });
}

async function decoded(address: string, count: number): Promise<VideoFrame[]> {
  const input = new Input({ source: new UrlSource(address), formats: [MP4] });
  const track = (await input.getPrimaryVideoTrack())!;
  const frames: VideoFrame[] = [];
  const decoder = new VideoDecoder({ output: (frame) => frames.push(frame), error: reportError });
  decoder.configure((await track.getDecoderConfig())!);
  let fed = 0;
  for await (const packet of new EncodedPacketSink(track).packets()) {
    decoder.decode(packet.toEncodedVideoChunk());
    if (++fed === count) break;
  }
  await decoder.flush();
  decoder.close();
  return frames;
}
