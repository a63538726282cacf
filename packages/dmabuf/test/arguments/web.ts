import type { Exceptions } from "./nonsense.js";
import { Domain, type Consumer, type StreamOptions } from "../../src/index.js";
import { decodeTo } from "../../src/web/index.js";
import type { World } from "./core.js";

/** What the functions of `dmabuf/web` are called with, rightly. */

/** Its methods as fields, each of which nonsense can take the place of. */
export function sourceOf(consumer: Consumer): object {
  return { next: () => consumer.next(), close: () => consumer.close() };
}

/** Node.js has no decoder: this one takes each chunk, and nothing comes of it. */
class Decoder {
  static isConfigSupported = () => Promise.resolve({ supported: true });
  readonly state = "configured";
  readonly decodeQueueSize = 0;
  configure(): void {}
  decode(): void {}
  close(): void {}
}

export const RECEIVERS: Readonly<Record<string, (world: World) => object | Promise<object>>> = {
  async VideoSink({ domain }) {
    const surroundings = globalThis as { VideoDecoder?: unknown };
    surroundings.VideoDecoder = Decoder;
    try {
      return await decodeTo(makerOf(domain) as never, {}, { onStream: () => {} });
    } finally {
      delete surroundings.VideoDecoder;
    }
  },
};

/** Node.js has no graphics: whatever is asked of these, the answer is nothing. */
const nothing = (name: string): object => new Proxy({ [name]: () => null }, { get: () => () => null });

function frameOf(world: World): object {
  const stream = world.stream();
  const consumer = stream.frames();
  stream.loanSync()!.publish();
  return consumer.nextSync()!;
}

/** As much of one as is looked at. */
const videoFrame = (): object => ({
  format: "RGBA",
  visibleRect: { width: 4, height: 4 },
  colorSpace: { toJSON: () => ({}) },
  allocationSize: () => 64,
});

const makerOf = (domain: World["domain"]): object => ({
  createStream: (options: StreamOptions) => domain.createStream(options),
});

/** What answers a letter at once, without a thread of its own. */
const answering = (more: object): object => ({
  addEventListener() {},
  removeEventListener() {},
  postMessage: ({ answer }: { readonly answer: { postMessage(answer: null): void } }) => answer.postMessage(null),
  ...more,
});

export const VALID: Readonly<Record<string, (world: World) => readonly unknown[]>> = {
  "readableStreamFrom()": (world) => [sourceOf(world.stream().frames())],
  "writableStreamFrom()": (world) => [world.stream(), {}],
  "pipeFrames()": (world) => {
    const stream = world.stream();
    const consumer = stream.frames();
    stream.end();
    return [sourceOf(consumer), new WritableStream(), {}];
  },
  "connectWorker()": ({ domain }) => [domain, answering({ terminate() {} }), {}],
  "connectWorklet()": ({ domain }) => [domain, answering({ port: answering({}), context: answering({}) }), {}],
  "capabilities()": () => [],
  "joinFromPage()": () => [Domain, {}],
  "formatOf()": () => [videoFrame(), {}],
  "pictureOf()": () => [videoFrame()],
  "copyVideoFrame()": (world) => [videoFrame(), world.stream().loanSync()!],
  "toVideoFrame()": (world) => [frameOf(world), {}],
  "VideoSink.decode()": () => [{ byteLength: 1, copyTo() {} }],
  "decodeTo()": ({ domain }) => [makerOf(domain), {}, { onStream: () => {} }],
  "streamOfTrack()": ({ domain }) => [makerOf(domain), { kind: "video" }, {}],
  "trackOf()": (world) => [sourceOf(world.stream().frames())],
  "uploadPlanes()": (world) => [nothing("texStorage2D"), [{}], frameOf(world)],
  "writeFrame()": (world) => [nothing("writeBuffer"), nothing("mapAsync"), frameOf(world)],
  "gpuFence()": ({ domain }) => [domain, nothing("pushErrorScope"), () => {}, {}],
  "exportGPUBuffer()": ({ domain }) => [domain, nothing("pushErrorScope"), nothing("mapAsync"), {}],
  "eachAnimationFrame()": (world) => [world.stream().frames(), () => {}, {}],
};

export const EXCEPTIONS: Exceptions = {
  // A domain has all of them.
  ...Object.fromEntries(
    ["connectWorker()", "connectWorklet()"].flatMap((call) =>
      ["invite", "revoke", "expel"].map((member) => [`${call} domain.${member}`, ["*"]]),
    ),
  ),
  "joinFromPage() options.validate": ["*"],
  "joinFromPage() options.trace": ["*"],
  // Only a browser looks into it.
  "toVideoFrame() init": ["a throwing proxy"],
};
