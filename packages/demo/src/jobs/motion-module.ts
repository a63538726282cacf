/**
 * The module that {@link MotionSimd} runs, in AssemblyScript: `compare` says for each block of 16 by 16 pixels how far its luma is
 * from that of the frame before, in sum, and keeps the frame. The test beside this compiles it, and compares.
 */
const SOURCE = `
export function compare(luma: usize, stride: i32, columns: i32, rows: i32, before: usize, sums: usize): void {
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      let sum = i32x4.splat(0);
      for (let y = 0; y < 16; y++) {
        const now = v128.load(luma + (row * 16 + y) * stride + column * 16);
        const kept = before + ((row * 16 + y) * columns + column) * 16;
        const was = v128.load(kept);
        v128.store(kept, now);
        const apart = v128.or(i8x16.sub_sat_u(now, was), i8x16.sub_sat_u(was, now));
        sum = i32x4.add(sum, i32x4.extadd_pairwise_i16x8_u(i16x8.extadd_pairwise_i8x16_u(apart)));
      }
      const at = sums + (row * columns + column) * 4;
      const halves = i32x4.add(sum, i8x16.shuffle(sum, sum, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7));
      store<i32>(at, i32x4.extract_lane(halves, 0) + i32x4.extract_lane(halves, 1));
    }
  }
}
`;

const BINARY =
  "AGFzbQEAAAABCgFgBn9/f39/fwACEgEDZW52Bm1lbW9yeQIDAYCABAMCAQAHFAIHY29tcGFyZQAABm1lbW9yeQIACusBAegBAgN7BH8DQCADIApK" +
  "BEBBACEJA0AgAiAJSgRA/QwAAAAAAAAAAAAAAAAAAAAAIQZBACELA0AgC0EQSARAIAAgCkEEdCALaiIMIAFsaiAJQQR0av0ABAAhByAEIAIgDGwg" +
  "CWpBBHRqIgz9AAQAIQggDCAH/QsEACAGIAcgCP1zIAggB/1z/VD9ff1//a4BIQYgC0EBaiELDAELCyAFIAIgCmwgCWpBAnRqIAYgBiAG/Q0ICQoL" +
  "DA0ODwABAgMEBQYH/a4BIgb9GwAgBv0bAWo2AgAgCUEBaiEJDAELCyAKQQFqIQoMAQsLCw==";

export const MODULE = { SOURCE, BINARY };
