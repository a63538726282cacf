import { computed, effect, signal } from "@preact/signals";
import { AgentName } from "../components/names.js";
import { count, durationText } from "../format.js";
import { isPaused, minute, shown } from "../store/store.js";
import { Chart, type Chosen } from "../timelines/chart.js";
import { collect, lanes } from "../timelines/lanes.js";
import { pendingIn } from "../../src/timelines/pending.js";
import { endingBy, zoomed, type TimeWindow } from "../../src/timelines/window.js";

const TEN_SECONDS = 10e9;

/** The window as the person has moved it; nothing while it follows what is new. */
const moved = signal<TimeWindow | undefined>();
/** How long the window is that follows. */
const length = signal(TEN_SECONDS);
const chosen = signal<Chosen | undefined>();
const drawn = signal(0);
const search = signal("");

const pending = computed(() => (shown.value === undefined ? new Map() : pendingIn(shown.value, wanted.value)));
const kept = computed(() => wanted.value.reduce((sum, lane) => sum + lane.count, 0));

const now = computed(() => shown.value?.at ?? 0);
const window = computed((): TimeWindow => moved.value ?? { from: now.value - length.value, to: now.value });
const wanted = computed(() => {
  const word = search.value.trim().toLowerCase();
  return lanes().filter(({ timeline }) => timeline.name.toLowerCase().includes(word));
});

// Also while another view is looked at: the snapshots go, and what they tell of the time stays.
effect(() => collect(minute.value));

const LEGEND = [
  ["done", "signaled"],
  ["done-many", "several"],
  ["pending", "pending"],
  ["failed", "failed, or overdue"],
] as const;

/** Timelines as lanes on a time axis, and their fences as bars. */
export function Timelines() {
  const zoom = (factor: number): void =>
    move(zoomed(window.value, factor, moved.value === undefined ? now.value : middle()));
  return (
    <section class="card" aria-label="Timelines">
      <header class="bar">
        <label class="search">
          <span class="unseen">Search timelines by name</span>
          <input
            type="search"
            placeholder="Search timelines"
            value={search.value}
            onInput={({ currentTarget }) => (search.value = currentTarget.value)}
          />
        </label>
        <div class="bar">
          <button type="button" class="button icon" aria-label="Zoom in" onClick={() => zoom(1 / 2)}>
            +
          </button>
          <button type="button" class="button icon" aria-label="Zoom out" onClick={() => zoom(2)}>
            −
          </button>
          <button type="button" class="button" aria-pressed={moved.value === undefined} onClick={follow}>
            Follow
          </button>
        </div>
      </header>
      {wanted.value.length === 0 ? (
        <p class="empty">{search.value === "" ? "The domain has no timelines yet." : "No timeline has that name."}</p>
      ) : (
        <Chart
          lanes={wanted.value}
          pending={pending.value}
          now={now.value}
          window={window.value}
          chosen={chosen.value}
          onWindow={move}
          onChoose={(fence) => (chosen.value = fence)}
          onDrawn={(fences) => (drawn.value = fences)}
        />
      )}
      <footer class="bar">
        <ul class="legend inline">
          {LEGEND.map(([look, meaning]) => (
            <li key={look}>
              <span class={`sample ${look}`} aria-hidden="true" />
              {meaning}
            </li>
          ))}
        </ul>
        <p class="small quiet number" data-drawn={drawn.value} data-kept={kept.value}>
          {count(drawn.value, "fence")} in view, {count(kept.value, "fence")} of{" "}
          {count(wanted.value.length, "timeline")} kept
        </p>
      </footer>
      <ChosenFence />
      <details class="about">
        <summary>How to read this</summary>
        <p>
          A bar ends when its fence signaled. It begins when the fence before it on the same timeline had signaled,
          which is when its work could begin. Drag or use the arrow keys to pan; the wheel with Ctrl, two fingers, or +
          and − zoom; [ and ] go from fence to fence.
        </p>
      </details>
    </section>
  );
}

function ChosenFence() {
  const fence = chosen.value;
  const lane = fence === undefined ? undefined : lanes().find(({ key }) => key === fence.key);
  return (
    <p class="chosen" aria-live="polite">
      {fence === undefined || lane === undefined ? (
        <span class="quiet">Choose a fence to see more of it.</span>
      ) : (
        <ChosenText lane={lane} seqno={fence.seqno} />
      )}
    </p>
  );
}

function ChosenText({ lane, seqno }: { lane: ReturnType<typeof lanes>[number]; seqno: number }) {
  const index = lane.indexOf(seqno);
  const error = lane.errorOf(index);
  const { context, name, owner } = lane.timeline;
  const took = lane.endOf(index) - lane.startOf(index);
  return (
    <>
      Fence{" "}
      <strong class="number">
        {context}:{seqno}
      </strong>{" "}
      of “{name}” {error === undefined ? "signaled" : `failed with ${error}`}{" "}
      <span class="number">{durationText(now.value - lane.endOf(index))}</span> ago
      {took > 0 && (
        <>
          , <span class="number">{(took / 1e6).toFixed(3)} ms</span> after the one before
        </>
      )}
      . Its agent is <AgentName identity={owner} />.
    </>
  );
}

function middle(): number {
  return (window.value.from + window.value.to) / 2;
}

/** No time is shown that has not come. A window that ended now, and still does, goes on with the time. */
function move(wanted: TimeWindow): void {
  const to = endingBy(wanted, now.value);
  const isNewest = to.to === now.value && !isPaused.value;
  if (isNewest) length.value = to.to - to.from;
  moved.value = isNewest ? undefined : to;
}

function follow(): void {
  if (moved.value !== undefined) length.value = moved.value.to - moved.value.from;
  moved.value = undefined;
}
