import assert from "node:assert/strict";
import { test } from "node:test";
import { createDomain } from "../../test/agents.js";
import {
  audioFormat,
  copiedBytes,
  rawFormat,
  type AudioFormatOptions,
  type Domain,
  type FrameStream,
} from "../index.js";
import { AudioReader, AudioWriter } from "./worklet.js";

const LIMIT = { timeout: 20_000 };
const QUANTUM = 128;

type Options = Partial<AudioFormatOptions> & { readonly buffers?: number };

function audioIn(domain: Domain, { buffers = 4, ...options }: Options = {}): FrameStream {
  return domain.createStream({ format: audioFormat({ channels: 2, rate: 48_000, samples: 512, ...options }), buffers });
}

const quantum = (channels = 2): Float32Array[] => Array.from({ length: channels }, () => new Float32Array(QUANTUM));

/** Sample `i` of a channel: all differ, and 16 bits have them exactly. */
const sampleOf = (i: number, channel: number): number => ((i % 4000) + channel * 8000) / 0x8000;

function fill(channels: readonly Float32Array[], start: number): void {
  channels.forEach((samples, channel) => samples.forEach((_, i) => (samples[i] = sampleOf(start + i, channel))));
}

function isRight(channels: readonly Float32Array[], start: number): boolean {
  return channels.every((samples, channel) => samples.every((sample, i) => sample === sampleOf(start + i, channel)));
}

for (const layout of ["planar", "interleaved"] as const) {
  for (const type of ["float32", "int16"] as const) {
    test(`quanta go through frames of any size, ${layout}, ${type}, and each sample is copied twice`, LIMIT, (t) => {
      const domain = createDomain(t);
      // 100 and 1,000 are no multiple of 128.
      for (const samples of [100, 128, 512, 1000]) {
        using stream = audioIn(domain, { samples, layout, type, buffers: 4 });
        const reader = new AudioReader(stream.frames());
        const writer = new AudioWriter(stream);
        const before = copiedBytes();
        let [written, read] = [0, 0];
        while (read < 200) {
          const given = quantum();
          fill(given, written * QUANTUM);
          assert.ok(writer.write(given));
          written++;
          const ready = Math.floor((written * QUANTUM) / samples) * samples;
          while ((read + 1) * QUANTUM <= ready) {
            const got = quantum();
            assert.ok(reader.read(got));
            assert.ok(isRight(got, read++ * QUANTUM), `quantum ${read} of frames of ${samples}`);
          }
        }
        const bytes = (written + read) * QUANTUM * 2 * (type === "float32" ? 4 : 2);
        assert.deepEqual([copiedBytes() - before, writer.dropped, reader.underruns], [bytes, 0, 0]);
      }
      const whys = domain.copies().map(({ why }) => why);
      assert.deepEqual(whys.sort(), ["AudioReader.read()", "AudioWriter.write()"]);
    });
  }
}

test("where there is too little, the rest is silent, and counted until the end (audio-quanta.2)", LIMIT, (t) => {
  const stream = audioIn(createDomain(t), { samples: 200, channels: 1 });
  const reader = new AudioReader(stream.frames());
  const got = [new Float32Array(QUANTUM).fill(9), new Float32Array(QUANTUM).fill(9)];
  assert.deepEqual([reader.read(got), reader.underruns, reader.ended], [false, 1, false]);
  assert.ok(got.every((samples) => samples.every((sample) => sample === 0)));
  const loan = stream.tryLoan()!;
  loan.samples[0].fill(0.5);
  loan.publish();
  stream.end();
  assert.deepEqual([reader.read(got), reader.ended], [true, false]);
  assert.deepEqual([reader.read(got), reader.ended, reader.underruns], [false, true, 1]);
  // The one channel is in both.
  for (const samples of got) assert.deepEqual([samples[71], samples[72], samples[127]], [0.5, 0, 0]);
  assert.deepEqual([reader.read(got), reader.ended, reader.underruns], [false, true, 1]);
});

test("a quantum for which no buffer is free is dropped, and counted until the end (audio-quanta.2)", LIMIT, (t) => {
  const stream = audioIn(createDomain(t), { samples: 192, channels: 1, buffers: 2 });
  const consumer = stream.frames();
  const writer = new AudioWriter(stream);
  const given = quantum(1);
  assert.deepEqual([writer.write(given), writer.write(given), writer.write(given)], [true, true, true]);
  assert.deepEqual([writer.write(given), writer.dropped], [false, 1]);
  consumer.tryNext()!.close();
  assert.deepEqual([writer.write(given), writer.dropped, writer.ended], [true, 1, false]);
  stream.end();
  assert.deepEqual([writer.write(given), writer.dropped, writer.ended], [false, 1, true]);
});

for (const [layout, length] of [
  ["interleaved", 300],
  ["planar", 512],
] as const) {
  test(`end() publishes what there is of the last frame: ${layout}`, LIMIT, (t) => {
    const stream = audioIn(createDomain(t), { layout, samples: 512, buffers: 1 });
    const consumer = stream.frames();
    const writer = new AudioWriter(stream);
    // What was there before is no part of the next frame.
    for (let i = 0; i < 4; i++) writer.write([new Float32Array(QUANTUM).fill(1), new Float32Array(QUANTUM).fill(1)]);
    consumer.tryNext()!.close();
    writer.write([new Float32Array(300).fill(0.25), new Float32Array(300).fill(0.5)]);
    writer.end();
    writer.end();
    const frame = consumer.tryNext()!;
    assert.equal(frame.length, length * 2 * 4);
    const [first, second] = frame.samples;
    if (layout === "interleaved") assert.deepEqual([first[0], first[1], first[599]], [0.25, 0.5, 0.5]);
    else assert.deepEqual([first[299], first[300], second![299], second![511]], [0.25, 0, 0.5, 0]);
    frame.close();
    assert.deepEqual([consumer.tryNext(), consumer.hasEnded], [undefined, true]);
  });
}

test("without any sample end() publishes no frame", LIMIT, (t) => {
  const stream = audioIn(createDomain(t));
  const consumer = stream.frames();
  const writer = new AudioWriter(stream);
  assert.ok(writer.write([]));
  writer.end();
  assert.deepEqual([consumer.tryNext(), consumer.hasEnded, writer.ended], [undefined, true, true]);
});

test("channels that are missing are silent, on both sides, and one goes to all", LIMIT, (t) => {
  const domain = createDomain(t);
  const stream = audioIn(domain, { samples: QUANTUM, channels: 3, layout: "planar" });
  const [reader, consumer] = [new AudioReader(stream.frames()), stream.frames()];
  const writer = new AudioWriter(stream);
  const levels = (): (number | undefined)[] => {
    using frame = consumer.tryNext();
    return frame!.samples.map((samples) => samples[127]);
  };
  const at = (level: number): Float32Array => new Float32Array(QUANTUM).fill(level);
  writer.write([at(0.25)]);
  assert.deepEqual(levels(), [0.25, 0.25, 0.25]);
  writer.write([at(0.25), at(0.5)]);
  assert.deepEqual(levels(), [0.25, 0.5, 0]);
  const four = [at(9), at(9), at(9), at(9)];
  reader.read(four);
  reader.read(four);
  assert.deepEqual(
    four.map((samples) => samples[127]),
    [0.25, 0.5, 0, 0],
  );
  const one = [at(9)];
  writer.write([at(0.125), at(1), at(1), at(1)]);
  reader.read(one);
  assert.equal(one[0]![127], 0.125);
});

test("samples beyond what 16 bits have are the nearest that they have", LIMIT, (t) => {
  const stream = audioIn(createDomain(t), { samples: 4, channels: 1, type: "int16" });
  const reader = new AudioReader(stream.frames());
  new AudioWriter(stream).write([Float32Array.of(1.5, -1.5, 1 / 0x8000, 0.4 / 0x8000)]);
  const got = [new Float32Array(4)];
  reader.read(got);
  assert.deepEqual([...got[0]!], [0x7fff / 0x8000, -1, 1 / 0x8000, 0]);
});

test(
  "frames that were taken away are no exception: the consumer, the stream or the domain is closed (audio-quanta.2)",
  LIMIT,
  (t) => {
    for (const close of ["consumer", "stream", "domain"] as const) {
      const domain = createDomain(t);
      const stream = audioIn(domain, { samples: 512 });
      const consumer = stream.frames();
      const [reader, writer] = [new AudioReader(consumer), new AudioWriter(stream)];
      for (let i = 0; i < 5; i++) writer.write(quantum());
      assert.ok(reader.read(quantum()));
      ({ consumer, stream, domain })[close].close();
      assert.equal(reader.read(quantum()), false);
      assert.deepEqual([reader.ended, reader.underruns], [true, 0]);
      if (close === "consumer") continue;
      assert.deepEqual([writer.write(quantum()), writer.ended, writer.dropped], [false, true, 0]);
      writer.end();
    }
  },
);

test("what is no such audio is named", LIMIT, (t) => {
  const domain = createDomain(t);
  const raw = domain.createStream({ format: rawFormat(512) });
  const bytes = audioIn(domain, { type: "uint8" });
  assert.throws(() => new AudioWriter(raw), { name: "TypeError", message: /AudioWriter\.write\(\): .* not of raw/ });
  assert.throws(() => new AudioWriter(bytes), { name: "TypeError", message: /not of uint8/ });
  const reader = new AudioReader(bytes.frames());
  bytes.tryLoan()!.publish();
  assert.throws(() => reader.read(quantum()), { name: "TypeError", message: /AudioReader\.read\(\): .* not of uint8/ });
  // It was given back.
  assert.equal(bytes.tryLoan()?.publish(), 1);
  assert.throws(() => new AudioReader({} as never), {
    name: "TypeError",
    message: /consumer\.tryNext must be a function/,
  });
});

const HEAP = { ...LIMIT, skip: "process" in globalThis ? false : "only Node.js says how much memory is used" };

test("a quantum written and read takes at most 320 bytes of garbage, frames included (audio-quanta.1)", HEAP, (t) => {
  const stream = audioIn(createDomain(t), { samples: 512, layout: "planar" });
  const [reader, writer] = [new AudioReader(stream.frames()), new AudioWriter(stream)];
  const [given, got] = [quantum(), quantum()];
  const { memoryUsage } = (globalThis as unknown as { process: { memoryUsage: () => { heapUsed: number } } }).process;
  const round = (): number => {
    const before = memoryUsage().heapUsed;
    for (let i = 0; i < 200; i++) {
      writer.write(given);
      reader.read(got);
    }
    return (memoryUsage().heapUsed - before) / 200;
  };
  // The compiler's own work is in the first ones, and a collection may be in any.
  for (let i = 0; i < 200; i++) round();
  const rounds = Array.from({ length: 51 }, round).sort((a, b) => a - b);
  const median = rounds[25]!;
  assert.ok(median > 0 && median <= 320, `${median} bytes`);
});
