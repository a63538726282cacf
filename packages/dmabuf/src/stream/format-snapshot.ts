import { audioFormat, type AudioFormatOptions } from "./audio-format.js";
import type { FrameFormat } from "./format.js";
import { formatDamage } from "./received-format.js";

/** The format that a text of formatText() is of; nothing if it is none, as where it was too long for its place. */
export function formatIn(text: string): FrameFormat | undefined {
  try {
    const { planes, ...rest } = JSON.parse(text) as Described;
    const format =
      rest.kind === "audio" ? audioFormat(rest as AudioFormatOptions) : { ...rest, planes: planesIn(planes) };
    return formatDamage(format) === undefined ? (format as FrameFormat) : undefined;
  } catch {
    return undefined;
  }
}

interface Described {
  readonly kind?: unknown;
  readonly planes: readonly (readonly number[])[];
}

function planesIn(lists: Described["planes"]): object[] {
  return lists.map(([offset, stride, width, height, bytesPerSample]) => ({
    ...{ offset, stride, width, height, bytesPerSample },
  }));
}
