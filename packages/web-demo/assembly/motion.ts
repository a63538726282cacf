/**
 * How much two pictures differ. They lie where the stream has put them: in the memory that this module and the stream share.
 * AssemblyScript; `build.mjs` compiles it with SIMD, and once more without.
 */

/** The sum of the absolute differences of so many bytes at two addresses. */
export function difference(a: usize, b: usize, length: usize): f64 {
  let at: usize = 0;
  let sum: u64 = 0;
  if (ASC_FEATURE_SIMD) {
    const whole = length & ~15;
    while (at < whole) {
      // Sums of pairs fit 32 bits for 2^23 steps; a picture's row of steps is shorter by far.
      const end = min(whole, at + (1 << 24));
      let sums = i32x4.splat(0);
      for (; at < end; at += 16) {
        const x = v128.load(a + at);
        const y = v128.load(b + at);
        const differences = v128.or(v128.sub_sat<u8>(x, y), v128.sub_sat<u8>(y, x));
        sums = i32x4.add(sums, i32x4.extadd_pairwise_i16x8_u(i16x8.extadd_pairwise_i8x16_u(differences)));
      }
      sum += <u64>(<u32>i32x4.extract_lane(sums, 0)) + <u64>(<u32>i32x4.extract_lane(sums, 1));
      sum += <u64>(<u32>i32x4.extract_lane(sums, 2)) + <u64>(<u32>i32x4.extract_lane(sums, 3));
    }
  }
  for (; at < length; at++) {
    const difference = <i32>load<u8>(a + at) - <i32>load<u8>(b + at);
    sum += <u64>abs(difference);
  }
  return <f64>sum;
}
