import type { FrameFormat } from "./format.js";

/**
 * A format as it is in a stream's slot, for those that look on. The planes are lists of numbers; audio has none, since all of it
 * follows from the rest.
 */
export function formatText({ planes, ...rest }: FrameFormat): string {
  const lists = planes.map(({ offset, stride, width, height, bytesPerSample }) => [
    ...[offset, stride, width, height, bytesPerSample],
  ]);
  return JSON.stringify(rest.kind === "audio" ? rest : { ...rest, planes: lists });
}
