import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Random } from "../../test/random.js";
import { streamOf } from "../../test/streams.js";
import { DmaBufError } from "../errors.js";
import { imageFormat, rawFormat } from "./format.js";
import { metadataOffset, metadataSize, pictureIn, writeMetadata } from "./metadata.js";
import { decodePicture, encodePicture, PICTURE_NUMBERS, type ColorSpace, type Picture } from "./picture.js";

const FORMAT = imageFormat("I420", 64, 48);

const WHOLE: Picture = {
  duration: 33_366.7,
  visibleRect: { x: 2, y: 4, width: 60, height: 44 },
  displayWidth: 80,
  displayHeight: 48,
  rotation: 270,
  flip: true,
  colorSpace: { primaries: "smpte432", transfer: "hlg", matrix: "bt2020-ncl", fullRange: false },
};

/** All names that WebCodecs has for colours. */
const COLORS: { readonly [Name in keyof ColorSpace]: readonly ColorSpace[Name][] } = {
  primaries: [null, "bt709", "bt470bg", "smpte170m", "bt2020", "smpte432"],
  transfer: [null, "bt709", "smpte170m", "iec61966-2-1", "linear", "pq", "hlg"],
  matrix: [null, "rgb", "bt709", "bt470bg", "smpte170m", "bt2020-ncl"],
  fullRange: [null, true, false],
};

describe("a frame's picture", () => {
  test("is what was published: whole, and each field alone; other frames have none", (t) => {
    const { stream, consumer } = streamOf(t, FORMAT);
    const others = Object.entries(WHOLE).filter(([name]) => !name.startsWith("display"));
    const alone = others.map(([name, value]) => ({ [name]: value as unknown }));
    const turned = ([0, 90, 180, 270] as const).map((rotation) => ({ rotation, flip: false }));
    const coloured = Object.entries(COLORS).flatMap(([name, values]) =>
      values.map((value) => ({ colorSpace: { [name]: value } })),
    );
    for (const picture of [
      WHOLE,
      {},
      undefined,
      { displayWidth: 80, displayHeight: 48 },
      ...alone,
      ...turned,
      { duration: 0 },
      undefined,
      ...coloured,
    ]) {
      stream.tryLoan()!.publish(picture && { picture });
      using frame = consumer.tryNext()!;
      assert.deepEqual(frame.picture, picture);
    }
  });

  test("comes with data and a timestamp, and none changes another", (t) => {
    const { stream, consumer } = streamOf(t, FORMAT);
    stream.tryLoan()!.publish({ picture: WHOLE, data: { exposure: 8 }, timestamp: 40 });
    stream.tryLoan()!.publish({ data: "alone" });
    using both = consumer.tryNext()!;
    using alone = consumer.tryNext()!;
    assert.deepEqual([both.picture, both.data, both.timestamp], [WHOLE, { exposure: 8 }, 40]);
    assert.deepEqual([alone.picture, alone.data, alone.length], [undefined, "alone", FORMAT.size]);
    both.close();
    assert.deepEqual(both.picture, WHOLE);
  });

  test("is read from objects whose fields are inherited, as those of a VideoFrame", (t) => {
    const { stream, consumer } = streamOf(t, FORMAT);
    const inherited = <T extends object>(fields: T): T => Object.create(fields) as T;
    const picture = { visibleRect: inherited(WHOLE.visibleRect!), colorSpace: inherited(WHOLE.colorSpace!) };
    stream.tryLoan()!.publish({ picture });
    using frame = consumer.tryNext()!;
    assert.deepEqual(frame.picture, { visibleRect: WHOLE.visibleRect, colorSpace: WHOLE.colorSpace });
  });

  test("that is wrong is refused with the field's name, and the loan stays", (t) => {
    const { stream } = streamOf(t, FORMAT);
    using loan = stream.tryLoan()!;
    const refused = (picture: unknown, name: string, message: RegExp): void =>
      assert.throws(() => loan.publish({ picture: picture as Picture }), { name, message });
    refused(null, "TypeError", /option "picture" must be an object, not null/);
    refused({ rotation: 45 }, "TypeError", /picture\.rotation must be 0, 90, 180 or 270, not 45/);
    refused({ flip: 1 }, "TypeError", /picture\.flip must be false or true, not 1/);
    refused({ duration: -1 }, "RangeError", /picture\.duration must be a finite number, 0 or more, not -1/);
    refused({ duration: NaN }, "RangeError", /picture\.duration/);
    refused({ duration: null }, "TypeError", /picture\.duration/);
    for (const name of ["displayWidth", "displayHeight"])
      for (const value of [0, 1.5, -1, NaN]) refused({ [name]: value }, "RangeError", new RegExp(`picture\\.${name}`));
    // WebCodecs takes both or none.
    refused({ displayWidth: 80 }, "TypeError", /picture\.displayHeight must be .*, not undefined/);
    refused({ displayHeight: 48 }, "TypeError", /picture\.displayWidth must be .*, not undefined/);
    const colorSpace = { matrix: "bt601" };
    const known = /picture\.colorSpace\.matrix must be null, "rgb", "bt709".* or "bt2020-ncl", not "bt601"/;
    refused({ colorSpace }, "TypeError", known);
    refused({ colorSpace: "bt709" }, "TypeError", /picture\.colorSpace must be an object/);
    refused(
      { colorSpace: { fullRange: "yes" } },
      "TypeError",
      /picture\.colorSpace\.fullRange must be null, false or true/,
    );
    const rect = { x: 0, y: 0, width: 64, height: 48 };
    for (const name of ["x", "y", "width", "height"]) {
      refused(
        { visibleRect: { ...rect, [name]: undefined } },
        "TypeError",
        new RegExp(`picture\\.visibleRect\\.${name}`),
      );
      refused({ visibleRect: { ...rect, [name]: 0.5 } }, "RangeError", new RegExp(`picture\\.visibleRect\\.${name}`));
    }
    const end = /the end of picture\.visibleRect must be an integer from 1 to/;
    refused({ visibleRect: { ...rect, x: 1 } }, "RangeError", end);
    refused({ visibleRect: { ...rect, height: 49 } }, "RangeError", end);
    assert.equal(loan.publish({ picture: { visibleRect: rect } }), 0);
  });

  test("is for images: that of another frame is a TypeError, and EPROTO if it comes from elsewhere", (t) => {
    const { stream } = streamOf(t, rawFormat(8));
    using loan = stream.tryLoan()!;
    const message = /option "picture" must be left out: frames of kind "raw" are no images/;
    assert.throws(() => loan.publish({ picture: {} }), { name: "TypeError", message });
    assert.throws(() => decodePicture([...encodePicture(WHOLE, FORMAT)], rawFormat(8)), { code: "EPROTO" });
  });

  test("whose getters give the loan back is not published: EBADF", (t) => {
    const { stream, consumer } = streamOf(t, FORMAT);
    const loan = stream.tryLoan()!;
    const picture = {
      get flip() {
        loan.close();
        return true;
      },
    };
    assert.throws(() => loan.publish({ picture }), { code: "EBADF" });
    assert.equal(consumer.tryNext(), undefined);
  });

  test("that is damaged is EPROTO, and the next frame comes", async (t) => {
    const { stream, consumer } = streamOf(t, FORMAT);
    // The width of what is visible, that of the display, and its duration.
    for (const [number, value] of [
      [7, 65],
      [7, NaN],
      [1, 0.5],
      [0, -1],
      [0, Infinity],
    ] as const) {
      const loan = stream.tryLoan()!;
      const { memory, offset } = loan.buffer.segments[0]!;
      loan.publish({ picture: WHOLE });
      new DataView(memory, offset + metadataOffset(FORMAT.size)).setFloat64(40 + 8 * number, value, true);
      await assert.rejects(consumer.next(), { code: "EPROTO", message: /its picture is damaged/ });
    }
    stream.tryLoan()!.publish({ picture: WHOLE });
    using frame = (await consumer.next())!;
    assert.deepEqual([frame.sequence, frame.picture, consumer.missed], [5, WHOLE, 5]);
  });
});

test("any bytes in place of a picture are EPROTO, or a picture that could have been published", () => {
  const area = new DataView(new ArrayBuffer(metadataSize(0)));
  const random = new Random(1);
  let taken = 0;
  for (let i = 0; i < 20_000; i++) {
    writeMetadata(area, 0, 0, 0, undefined, undefined, encodePicture(WHOLE, FORMAT));
    for (let j = random.below(4); j >= 0; j--) area.setUint8(40 + random.below(8 * PICTURE_NUMBERS), random.below(256));
    try {
      const picture = pictureIn(area, FORMAT)!;
      assert.deepEqual(decodePicture([...encodePicture(picture, FORMAT)], FORMAT), picture);
      taken++;
    } catch (error) {
      assert.ok(error instanceof DmaBufError && error.code === "EPROTO", String(error));
    }
  }
  assert.ok(taken > 1000 && taken < 19_000, String(taken));
});
