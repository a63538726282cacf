/** What a queue carries: images from the device (`capture`), or to it (`output`). */
export type VideoDirection = "capture" | "output";

/** How the images of a video device look. */
export interface VideoFormat {
  /** Four characters, as "YUYV" or "NV12". */
  readonly pixelFormat: string;
  /** Pixels. */
  readonly width: number;
  /** Pixels. */
  readonly height: number;
  /** In one dma-buf each. */
  readonly planes: readonly VideoPlaneFormat[];
}

/** One plane of such images. */
export interface VideoPlaneFormat {
  /** Bytes from one row to the next. */
  readonly stride: number;
  /** Bytes of the plane. */
  readonly size: number;
}
