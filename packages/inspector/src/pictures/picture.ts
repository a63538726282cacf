/** Pixels to put on a canvas. */
export interface Picture {
  readonly width: number;
  readonly height: number;
  /** Red, green, blue and alpha of each. */
  readonly pixels: Uint8ClampedArray<ArrayBuffer>;
}

/** As large as it is, or smaller in the same proportions; never nothing. */
export function pictureSize(width: number, height: number, most: number): { width: number; height: number } {
  const scale = Math.min(1, most / width, most / height);
  return { width: Math.max(1, Math.round(width * scale)), height: Math.max(1, Math.round(height * scale)) };
}
