/** A small line of how something was in the last minute, from left to right. Its numbers are said beside it. */
export function Sparkline({ values, label }: { values: readonly number[]; label: string }) {
  const most = Math.max(1, ...values);
  const step = WIDTH / Math.max(1, POINTS - 1);
  const first = POINTS - values.length;
  const points = values.map(
    (value, i) => `${((first + i) * step).toFixed(1)},${(1 + (1 - value / most) * (HEIGHT - 2)).toFixed(1)}`,
  );
  return (
    <svg class="sparkline" viewBox={`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" role="img" aria-label={label}>
      <polyline points={points.join(" ")} />
    </svg>
  );
}

const WIDTH = 240;
const HEIGHT = 36;

/** One a second. */
const POINTS = 60;
