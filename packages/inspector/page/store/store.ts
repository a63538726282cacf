import { batch, computed, signal } from "@preact/signals";
import { changed } from "../../src/shared/changes.js";
import type { DomainState } from "../../src/shared/messages.js";
import { ratesAt, type Rates } from "../../src/shared/rates.js";
import type { DomainSnapshot, SnapshotAgent } from "dmabuf/node";
import { listen } from "./client.js";

/**
 * What the page knows. Views read `shown` and what is derived from it, which is the newest snapshot, or an older one while the
 * page is paused.
 *
 * store.1. While the page is paused nothing that is shown changes, also when the domain goes on or ends.
 * store.2. A hidden page lets its connection go after a while, and gets the last minute anew when it is looked at again.
 */

/** Nanoseconds. */
const A_MINUTE = 60e9;

/** Milliseconds for which a hidden page stays connected. */
const HIDDEN_AFTER = 10_000;

const received = signal<readonly DomainSnapshot[]>([]);
/** What is stepped through while the page is paused, and where. */
const pausedAt = signal<{ readonly snapshots: readonly DomainSnapshot[]; readonly index: number } | undefined>();

/** Whether the page is connected to its server. */
export const link = signal<"connecting" | "open" | "lost">("connecting");

/** What the server says of the domain; nothing before it has said anything. */
export const domainState = signal<DomainState | undefined>();

/** Whether the page is paused. */
export const isPaused = computed(() => pausedAt.value !== undefined);

/** Whether what is shown is so just now. */
export const isLive = computed(() => !isPaused.value && link.value === "open" && domainState.value?.kind === "live");

/** The last minute, from the oldest snapshot to the newest; while the page is paused, that of then. */
export const minute = computed(() => pausedAt.value?.snapshots ?? received.value);

/** Which one of `minute` is shown; -1 if there is none. */
export const shownIndex = computed(() => pausedAt.value?.index ?? received.value.length - 1);

/** The snapshot that is shown; nothing before there is one. */
export const shown = computed(() => minute.value[shownIndex.value]);

/** Frames a second at the shown moment, by `streamKey()`. */
export const rates = computed((): Rates => ratesAt(minute.value, shownIndex.value));

/** The agents of the shown snapshot, by their identities. */
export const agents = computed((): ReadonlyMap<number, SnapshotAgent> => {
  return new Map(shown.value?.agents.map((agent) => [agent.identity, agent]));
});

/** Nothing changes any more until {@link goOn}. */
export function pause(): void {
  if (pausedAt.value !== undefined || received.value.length === 0) return;
  pausedAt.value = { snapshots: received.value, index: received.value.length - 1 };
}

/** Shows what is new again. */
export function goOn(): void {
  pausedAt.value = undefined;
}

/** Pauses, and shows one of `minute`; the nearest one where there is none so far away. */
export function show(index: number): void {
  pause();
  const paused = pausedAt.value;
  if (paused === undefined) return;
  const last = paused.snapshots.length - 1;
  pausedAt.value = { ...paused, index: Math.min(last, Math.max(0, Math.round(index))) };
}

let source: EventSource | undefined;
/** What has come since the last frame that was drawn. */
let arrived: DomainSnapshot[] = [];
let isNew = false;

/** Connects to the server, for as long as the page is looked at. */
export function connect(): void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  document.addEventListener("visibilitychange", () => {
    clearTimeout(timer);
    if (document.visibilityState === "hidden") timer = setTimeout(disconnect, HIDDEN_AFTER);
    else if (source === undefined) open();
  });
  open();
}

function disconnect(): void {
  source?.close();
  source = undefined;
}

function open(): void {
  let last: DomainSnapshot | undefined;
  source = listen(
    {
      state: (state) => (domainState.value = state),
      first: (change) => {
        arrived = [(last = changed(undefined, change))];
        isNew = true;
        drawSoon();
      },
      change: (change) => {
        arrived.push((last = changed(last, change)));
        drawSoon();
      },
    },
    (isOpen) => (link.value = isOpen ? "open" : "lost"),
  );
}

let isAsked = false;

/** The last minute comes in hundreds of events, and is drawn once. */
function drawSoon(): void {
  if (isAsked) return;
  isAsked = true;
  // No frame is drawn while the page is hidden.
  if (document.visibilityState === "hidden") setTimeout(take, 1000);
  else requestAnimationFrame(take);
}

function take(): void {
  isAsked = false;
  const all = isNew ? arrived : [...received.value, ...arrived];
  const newest = all.at(-1);
  arrived = [];
  isNew = false;
  if (newest === undefined) return;
  const first = all.findIndex(({ at }) => at >= newest.at - A_MINUTE);
  batch(() => {
    // Another domain's: what was paused at is gone.
    if (received.value.at(-1)?.domain !== newest.domain) pausedAt.value = undefined;
    received.value = all.slice(first);
  });
}
