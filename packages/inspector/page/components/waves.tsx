import type { Wave } from "../../src/pictures/waves.js";

/** Pixels of a drawing that is as wide as there is room. */
const HEIGHT = 64;

/** Channels of audio, one below the other. What is too loud goes out of its place. */
export function Waves({ waves }: { waves: readonly Wave[] }) {
  return (
    <figure>
      {waves.map(({ lows, highs, peak }, i) => (
        <figure key={i}>
          <svg
            class="wave"
            viewBox={`0 0 ${highs.length} ${HEIGHT}`}
            preserveAspectRatio="none"
            role="img"
            aria-label={`Channel ${i + 1}, at most ${percent(peak)} of full volume`}
          >
            <line x1="0" x2={highs.length} y1={HEIGHT / 2} y2={HEIGHT / 2} />
            <path d={columnsOf(lows, highs)} />
          </svg>
          <figcaption class="small quiet number">
            Channel {i + 1}: {peak === 0 ? "silence" : `at most ${percent(peak)} of full volume`}
          </figcaption>
        </figure>
      ))}
    </figure>
  );
}

function percent(part: number): string {
  return Number.isFinite(part) ? `${Math.round(part * 100)} %` : "more than 100 %";
}

/** From the highest of each to the next, and back by the lowest: neighbours meet where there are few samples. */
function columnsOf(lows: readonly number[], highs: readonly number[]): string {
  const y = (value: number): string => ((1 - clamped(value)) * (HEIGHT / 2)).toFixed(1);
  const there = highs.map((high, x) => `${x + 0.5} ${y(high)}`);
  const back = lows.map((low, x) => `${x + 0.5} ${y(low)}`).reverse();
  return there.length === 0 ? "" : `M${[...there, ...back].join("L")}Z`;
}

function clamped(value: number): number {
  return Number.isNaN(value) ? 0 : Math.max(-1, Math.min(1, value));
}
