import { durationText } from "../format.js";
import { goOn, isPaused, minute, pause, show, shown, shownIndex } from "../store/store.js";

/** How many snapshots Page Up and Page Down go: about a second. */
const A_SECOND = 10;

/** Pauses, and steps back through the last minute. */
export function Player() {
  const last = minute.value.length - 1;
  const index = shownIndex.value;
  const text = shownText();
  return (
    <section class="player" aria-label="Time">
      <button
        type="button"
        class={isPaused.value ? "button strong" : "button"}
        onClick={isPaused.value ? goOn : pause}
        disabled={last < 0}
      >
        <Icon of={isPaused.value ? "play" : "pause"} />
        {isPaused.value ? "Go on" : "Pause"}
      </button>
      <button
        type="button"
        class="button icon"
        aria-label="One step back"
        onClick={() => show(index - 1)}
        disabled={index <= 0}
      >
        <Icon of="back" />
      </button>
      <input
        type="range"
        min={0}
        max={Math.max(0, last)}
        value={index}
        aria-label="The last minute"
        aria-valuetext={text}
        disabled={last <= 0}
        onInput={({ currentTarget }) => show(Number(currentTarget.value))}
        onKeyDown={onKey}
      />
      <button
        type="button"
        class="button icon"
        aria-label="One step on"
        onClick={() => show(index + 1)}
        disabled={!isPaused.value || index >= last}
      >
        <Icon of="forward" />
      </button>
      <output class="number">{text}</output>
    </section>
  );
}

/** Arrow keys and Home are the browser's own. */
function onKey(event: KeyboardEvent): void {
  if (event.key === " ") (isPaused.value ? goOn : pause)();
  else if (event.key === "PageUp") show(shownIndex.value - A_SECOND);
  else if (event.key === "PageDown") show(shownIndex.value + A_SECOND);
  else if (event.key === "End") goOn();
  else return;
  event.preventDefault();
}

function shownText(): string {
  const newest = minute.value.at(-1);
  const at = shown.value;
  if (newest === undefined || at === undefined) return "–";
  if (!isPaused.value) return "now";
  return at === newest ? "last" : `−${durationText(newest.at - at.at)}`;
}

const PATHS = {
  pause: "M5 3h3v10H5zM9.5 3h3v10h-3z",
  play: "M5 2.5v11l8.5-5.5z",
  back: "M12 3v10L5.5 8zM4 3h1.5v10H4z",
  forward: "M4 3v10l6.5-5zM10.5 3H12v10h-1.5z",
};

function Icon({ of }: { of: keyof typeof PATHS }) {
  return (
    <svg viewBox="0 0 16 16" width="16" height="16" aria-hidden="true" fill="currentColor">
      <path d={PATHS[of]} />
    </svg>
  );
}
