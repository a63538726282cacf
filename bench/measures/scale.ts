import type { Plan } from "../sides/sampling.js";

/** How thorough the benchmark is. */
export type Scale = "full" | "quick";

/** As many samples as the scale asks for, after as much again to warm up; a quick run takes a tenth. */
export function planOf(scale: Scale, { samples, batch }: { samples: number; batch: number }): Plan {
  const count = scale === "full" ? samples : Math.ceil(samples / 10);
  return { samples: count, batch, warm: Math.ceil(count / 2) };
}
