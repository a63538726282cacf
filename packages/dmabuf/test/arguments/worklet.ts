import { audioFormat, type FrameStream } from "../../src/index.js";
import { AudioReader, AudioWriter } from "../../src/web/worklet.js";
import type { World } from "./core.js";
import type { Exceptions } from "./nonsense.js";

/** What the functions of `dmabuf/web/worklet` are called on and with, rightly. */

function stream({ domain }: World): FrameStream {
  return domain.createStream({ format: audioFormat({ channels: 1, rate: 48_000, samples: 256 }) });
}

/** What is joined without a thread of its own. */
const joinable = Object.assign(() => {}, { join: () => ({ ready: Promise.resolve(), close() {} }) });

/** A port by which an invitation comes as soon as it is started. */
function port(): object {
  let hear = (_event: object): void => {};
  return {
    addEventListener: (_type: string, listener: typeof hear) => (hear = listener),
    removeEventListener() {},
    start() {
      const letter = { dmabuf: "invitation", invitation: {}, answer: { postMessage() {} } };
      hear({ data: letter, stopImmediatePropagation() {} });
    },
  };
}

/** Its parts that are used as fields, each of which nonsense can take the place of. */
const source = (world: World): object => {
  const consumer = stream(world).frames();
  return { hasEnded: false, tryNext: () => consumer.tryNext() };
};

export const RECEIVERS: Readonly<Record<string, (world: World) => object>> = {
  AudioReader: (world) => new AudioReader(stream(world).frames()),
  AudioWriter: (world) => new AudioWriter(stream(world)),
};

export const VALID: Readonly<Record<string, (world: World) => readonly unknown[]>> = {
  "joinInWorklet()": () => [joinable, port(), {}],
  "new AudioReader()": (world) => [source(world)],
  "new AudioWriter()": (world) => [stream(world)],
  "AudioReader.read()": () => [[new Float32Array(128)]],
  "AudioWriter.write()": () => [[new Float32Array(128)]],
  "AudioWriter.end()": () => [],
};

export const EXCEPTIONS: Exceptions = {
  "joinInWorklet() options.validate": ["*"],
  "joinInWorklet() options.trace": ["*"],
  // It is read at each quantum.
  "new AudioReader() consumer.hasEnded": ["*"],
};
