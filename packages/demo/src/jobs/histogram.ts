import type { Picture } from "../picture.js";
import type { Findings, HistogramNote, Job } from "./job.js";

/** Counts how often each of the 256 values of luma occurs, in every pixel of every frame. */
export class Histogram implements Job {
  readonly #frame = new Uint32Array(256);
  readonly #total = new Float64Array(256);

  look({ luma, width, height }: Picture): undefined {
    const counts = this.#frame.fill(0);
    const { bytes, stride } = luma;
    for (let y = 0; y < height; y++) {
      const row = y * stride;
      for (let at = row; at < row + width; at++) (counts[bytes[at] as number] as number)++;
    }
    for (let value = 0; value < 256; value++) (this.#total[value] as number) += counts[value] as number;
  }

  note(): HistogramNote {
    const bins = Array.from({ length: 64 }, (_, bin) =>
      this.#frame.subarray(bin * 4, bin * 4 + 4).reduce((sum, count) => sum + count, 0),
    );
    return { kind: "histogram", mean: mean(this.#frame), bins };
  }

  async finish(): Promise<Findings> {
    const [dark, bright] = [quantile(this.#total, 0.01), quantile(this.#total, 0.99)];
    const average = mean(this.#total);
    return {
      summary: `mean luma ${average.toFixed(1)}, 98 % within ${dark} to ${bright}`,
      values: { mean_luma: Number(average.toFixed(3)), luma_p1: dark, luma_p99: bright },
    };
  }
}

function mean(counts: Iterable<number>): number {
  let [pixels, sum, value] = [0, 0, 0];
  for (const count of counts) {
    pixels += count;
    sum += count * value++;
  }
  return pixels === 0 ? 0 : sum / pixels;
}

/** The lowest value that at least this share of the pixels does not exceed. */
function quantile(counts: Float64Array, share: number): number {
  const wanted = counts.reduce((sum, count) => sum + count, 0) * share;
  let seen = 0;
  return Math.max(
    0,
    counts.findIndex((count) => (seen += count) >= wanted),
  );
}
