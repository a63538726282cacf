import type { Picture } from "../picture.js";
import type { Box, Findings, Job, MotionNote } from "./job.js";

/** Cells along the longer side of the picture. */
const CELLS = 160;
/** A cell moves when its mean luma changed by more than this. */
const THRESHOLD = 10;

/** Finds what moves: compares each frame's luma, averaged over small cells, to that of the frame before. */
export class Motion implements Job {
  #before: Float32Array | undefined;
  #latest: MotionNote | undefined;
  #moving = 0;
  #largest = 0;

  look(picture: Picture): undefined {
    const grid = cells(picture);
    if (this.#before?.length === grid.luma.length) {
      const note = compare(this.#before, grid, picture);
      this.#latest = note;
      if (note.box !== undefined) this.#moving++;
      this.#largest = Math.max(this.#largest, note.area);
    }
    this.#before = grid.luma;
  }

  note(): MotionNote | undefined {
    return this.#latest;
  }

  async finish(): Promise<Findings> {
    return motionFindings(this.#moving, this.#largest);
  }
}

/** @param largest The largest share of a picture that moved, 0 to 1. */
export function motionFindings(frames: number, largest: number): Findings {
  return {
    summary: `${frames} frames with motion, in at most ${(largest * 100).toFixed(1)} % of the picture`,
    values: { moving_frames: frames, largest_area: Number(largest.toFixed(4)) },
  };
}

interface Grid {
  readonly side: number;
  readonly columns: number;
  readonly luma: Float32Array;
}

/** Each cell's luma, from up to four by four pixels spread over it. */
function cells({ luma, width, height }: Picture): Grid {
  const { bytes, stride } = luma;
  const side = Math.max(1, Math.ceil(Math.max(width, height) / CELLS));
  const step = Math.max(1, side >> 2);
  const columns = Math.floor(width / side);
  const rows = Math.floor(height / side);
  const means = new Float32Array(columns * rows);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      let sum = 0;
      let count = 0;
      for (let y = row * side; y < (row + 1) * side; y += step) {
        for (let x = column * side; x < (column + 1) * side; x += step) {
          sum += bytes[y * stride + x] as number;
          count++;
        }
      }
      means[row * columns + column] = sum / count;
    }
  }
  return { side, columns, luma: means };
}

function compare(before: Float32Array, { luma, columns, side }: Grid, { sequence }: Picture): MotionNote {
  let moving = 0;
  let [left, top, right, bottom] = [Infinity, Infinity, -1, -1];
  for (let cell = 0; cell < luma.length; cell++) {
    if (Math.abs((luma[cell] as number) - (before[cell] as number)) <= THRESHOLD) continue;
    moving++;
    const column = cell % columns;
    const row = Math.floor(cell / columns);
    left = Math.min(left, column);
    right = Math.max(right, column);
    top = Math.min(top, row);
    bottom = Math.max(bottom, row);
  }
  const area = moving / luma.length;
  if (moving === 0) return { kind: "motion", sequence, area };
  const box: Box = {
    left: left * side,
    top: top * side,
    width: (right - left + 1) * side,
    height: (bottom - top + 1) * side,
  };
  return { kind: "motion", sequence, area, box };
}
