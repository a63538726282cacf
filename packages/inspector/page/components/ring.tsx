import type { SnapshotPlace } from "dmabuf/node";

/** What the state of a place of a stream's ring means. */
const PLACE_STATES: Readonly<Record<SnapshotPlace["state"], string>> = {
  free: "free: the producer may fill it",
  filling: "filling: the producer writes it",
  published: "published: a frame that consumers may read",
  held: "held: consumers read it just now",
};

/** The places of a stream's ring, each with its state. */
export function Ring({ places }: { places: readonly SnapshotPlace[] }) {
  return (
    <span class="ring" role="img" aria-label={ringText(places)}>
      {places.map(({ state, frame, slot }) => (
        <span key={slot} class={`place ${state}`} title={frame === undefined ? state : `frame ${frame}, ${state}`} />
      ))}
    </span>
  );
}

function ringText(places: readonly SnapshotPlace[]): string {
  const parts = (["free", "filling", "published", "held"] as const).flatMap((state) => {
    const number = places.filter((place) => place.state === state).length;
    return number === 0 ? [] : [`${number} ${state}`];
  });
  return `${places.length} buffers: ${parts.join(", ")}`;
}

/** What the colours mean. */
export function RingLegend() {
  return (
    <ul class="legend" aria-label="What the colours of a stream's buffers mean">
      {Object.entries(PLACE_STATES).map(([state, text]) => (
        <li key={state}>
          <span class={`place ${state}`} aria-hidden="true" />
          {text}
        </li>
      ))}
    </ul>
  );
}
