import assert from "node:assert/strict";
import { test } from "node:test";
import { Random } from "../../../test/random.js";
import { imageFormat, rawFormat } from "../../index.js";
import { codeOf } from "../../errors.js";
import { decodeFrameData, decodeHeader, encodeFrameData, encodeHeader, mostData, type Header } from "./frame-header.js";

const FORMAT = rawFormat(5_000);
const FRAME: Header = { kind: "frame", length: 4_999, dataLength: 17, missed: 3, sequence: 2 ** 40, timestamp: -0.5 };
const ALL: readonly Header[] = [FRAME, { kind: "beat" }, { kind: "end" }, { kind: "fail", code: "ESRCH" }];

test("a header is read as it was written frame-header.1", () => {
  for (const header of ALL) assert.deepEqual(decodeHeader(encodeHeader(header), FORMAT, 100), header);
  const data = { data: { a: ["ö", null] }, picture: { rotation: 90 } } as const;
  assert.deepEqual(decodeFrameData(encodeFrameData(data)!), data);
  assert.equal(encodeFrameData({}), undefined);
});

test("what no frame of the format can have is refused frame-header.2", () => {
  const wrong: Partial<typeof FRAME>[] = [
    { length: 5_001 },
    { length: 2 ** 60 },
    { dataLength: mostData(100) + 1 },
    { missed: 2 ** 24 },
    { sequence: -1 },
    { sequence: 0.5 },
    { sequence: NaN },
    { timestamp: Infinity },
  ];
  for (const fields of wrong) {
    const bytes = encodeHeader({ ...FRAME, ...fields });
    assert.throws(() => decodeHeader(bytes, FORMAT, 100), { code: "EPROTO" }, JSON.stringify(fields));
  }
  const image = encodeHeader({ ...FRAME, length: 100 });
  assert.throws(() => decodeHeader(image, imageFormat("NV12", 16, 16), 100), { code: "EPROTO" });
  for (const text of ["", "[1]", "null", '{"data":', "7"]) {
    assert.throws(() => decodeFrameData(Buffer.from(text)), { code: "EPROTO" }, text);
  }
});

test("a damaged header is refused, or is another that can be frame-header.2 frame-header.3", (t) => {
  const random = new Random(1);
  let refused = 0;
  const cases = 20_000;
  for (let i = 0; i < cases; i++) {
    const bytes = encodeHeader(ALL[i % ALL.length]!);
    for (let n = 0; n <= i % 3; n++) bytes[random.below(bytes.length)] = random.below(256);
    try {
      const header = decodeHeader(bytes, FORMAT, 100);
      assert.deepEqual(encodeHeader(header), bytes);
      if (header.kind === "frame") assert.ok(header.length <= FORMAT.size && header.dataLength <= mostData(100));
    } catch (error) {
      assert.equal(codeOf(error), "EPROTO");
      refused++;
    }
  }
  t.diagnostic(`${refused} of ${cases} were refused`);
  assert.ok(refused > 0 && refused < cases);
});
