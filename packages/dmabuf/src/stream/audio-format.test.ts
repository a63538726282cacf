import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { streamOf } from "../../test/streams.js";
import { audioFormat, type AudioFormatOptions } from "./audio-format.js";
import { rawFormat } from "./format.js";

const STEREO: AudioFormatOptions = { channels: 2, rate: 48_000, samples: 4 };

describe("audioFormat()", () => {
  test("has a plane for each channel, or one in which a sample is that of all channels", () => {
    const interleaved = { offset: 0, stride: 32, width: 4, height: 1, bytesPerSample: 8 };
    assert.deepEqual(audioFormat(STEREO), {
      ...{ kind: "audio", size: 32, planes: [interleaved], channels: 2, rate: 48_000, samples: 4 },
      ...{ type: "float32", layout: "interleaved" },
    });
    const planar = audioFormat({ ...STEREO, type: "int16", layout: "planar" });
    assert.deepEqual(planar.planes, [
      { offset: 0, stride: 8, width: 4, height: 1, bytesPerSample: 2 },
      { offset: 8, stride: 8, width: 4, height: 1, bytesPerSample: 2 },
    ]);
    assert.deepEqual([planar.size, planar.type, planar.layout], [16, "int16", "planar"]);
  });

  test("refuses what is out of range, or unknown, by its name", () => {
    for (const [name, values] of Object.entries({
      channels: [0, 65, 1.5],
      rate: [0, -1, Infinity],
      samples: [0, 2 ** 33],
    })) {
      for (const value of values) {
        const message = new RegExp(`^audioFormat\\(\\): option "${name}" .* not ${value}$`);
        assert.throws(() => audioFormat({ ...STEREO, [name]: value }), { name: "RangeError", message });
      }
    }
    assert.throws(() => audioFormat({ ...STEREO, type: "int64" as "int32" }), { name: "TypeError", message: /"type"/ });
    assert.throws(() => audioFormat({ ...STEREO, layout: "both" as "planar" }), {
      name: "TypeError",
      message: /"layout"/,
    });
    assert.throws(() => audioFormat({ channels: 1 } as AudioFormatOptions), { name: "TypeError", message: /"rate"/ });
  });
});

describe("a frame of audio", () => {
  test("has its samples in place, each channel's by themselves", (t) => {
    const { stream, consumer } = streamOf(t, audioFormat({ ...STEREO, layout: "planar" }));
    const loan = stream.tryLoan()!;
    assert.equal(loan.samples.length, 2);
    loan.samples.forEach((channel, i) => channel.forEach((_, at) => (channel[at] = i + at / 10)));
    loan.publish();
    using frame = consumer.tryNext()!;
    const [left, right] = frame.samples;
    assert.deepEqual([left.constructor, left.buffer], [Float32Array, frame.buffer.segments[0]!.memory]);
    const values = (channel: number): number[] => [0, 0.1, 0.2, 0.3].map((value) => Math.fround(channel + value));
    assert.deepEqual([[...left], [...right!]], [values(0), values(1)]);
    assert.throws(() => frame.tensor, { name: "TypeError", message: /kind "audio" is no tensor/ });
  });

  test("that is interleaved may be shorter, by whole samples of all channels", (t) => {
    const { stream, consumer } = streamOf(t, audioFormat({ ...STEREO, type: "int16" }));
    const loan = stream.tryLoan()!;
    loan.samples[0].set([1, -1, 2, -2, 3, -3, 4, -4]);
    const message = 'Loan.publish(): option "length" must be a multiple of 4 from 0 to 16, not 6';
    assert.throws(() => loan.publish({ length: 6 }), { name: "RangeError", message });
    loan.publish({ length: 12 });
    using frame = consumer.tryNext()!;
    assert.deepEqual([...frame.samples[0]], [1, -1, 2, -2, 3, -3]);
    assert.deepEqual([frame.planes[0].width, frame.planes[0].bytesPerSample, frame.samples.length], [3, 4, 1]);
  });

  test("that is planar has its full length: where a channel ends would not be known", (t) => {
    const { stream } = streamOf(t, audioFormat({ ...STEREO, layout: "planar" }));
    using loan = stream.tryLoan()!;
    assert.throws(() => loan.publish({ length: 16 }), { name: "RangeError", message: /must be 32, as all frames/ });
  });

  test("alone has samples", (t) => {
    const { stream } = streamOf(t, rawFormat(8));
    using loan = stream.tryLoan()!;
    assert.throws(() => loan.samples, { name: "TypeError", message: /kind "raw" is no audio/ });
  });
});
