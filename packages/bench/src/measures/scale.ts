import type { Plan } from "../sides/sampling.js";

/** How thorough the benchmark is. */
export type Scale = "full" | "quick";

interface Size {
  readonly samples: number;
  readonly batch: number;
  /** Operations that a run warms up with, at least. Default 3,000: before, it would measure the compiler. */
  readonly warm?: number;
}

/** As many samples as the scale asks for; a quick run takes a tenth. */
export function planOf(scale: Scale, { samples, batch, warm = 3000 }: Size): Plan {
  const count = scale === "full" ? samples : Math.ceil(samples / 10);
  return { samples: count, batch, warm: Math.max(Math.ceil(count / 2), Math.ceil(warm / batch)) };
}
