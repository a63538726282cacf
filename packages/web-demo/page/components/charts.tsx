/** Small drawings. Their numbers are said beside them. */

interface ChartProps {
  readonly values: readonly number[];
  readonly label: string;
}

const WIDTH = 240;
const HEIGHT = 72;

/** A line of the last values, from left to right. */
export function Curve({ values, label }: ChartProps) {
  const most = Math.max(1, ...values);
  const first = WIDTH - values.length;
  const points = values.map((value, i) => `${first + i},${(HEIGHT - 2 - (value / most) * (HEIGHT - 6)).toFixed(1)}`);
  return (
    <svg class="chart" viewBox={`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" role="img" aria-label={label}>
      {values.length > 0 && (
        <polygon class="under" points={`${first},${HEIGHT} ${points.join(" ")} ${WIDTH},${HEIGHT}`} />
      )}
      <polyline points={points.join(" ")} />
    </svg>
  );
}

/** A bar for each value. */
export function Bars({ values, label }: ChartProps) {
  // One that is far higher than the others does not hide them.
  const most = Math.max(1, ...values.map(Math.sqrt));
  const width = WIDTH / Math.max(1, values.length);
  const bars = values.map((value, i) => {
    const height = (Math.sqrt(value) / most) * (HEIGHT - 4);
    return `M${(i * width).toFixed(2)} ${HEIGHT}v${(-height).toFixed(1)}h${(width * 0.86).toFixed(2)}V${HEIGHT}z`;
  });
  return (
    <svg class="chart" viewBox={`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" role="img" aria-label={label}>
      <path d={bars.join("")} />
    </svg>
  );
}
