import { signal } from "@preact/signals";
import type { ExplanationData } from "dmabuf";
import { askAgain } from "../store/ask-again.js";
import { explain } from "../store/client.js";
import { isPaused, shown } from "../store/store.js";

/**
 * What holds things up, asked again and again while it is looked at. What was said is kept for a minute, so that it can be
 * stepped through as snapshots are.
 */

/** Milliseconds. */
const EACH = 1000;
/** As many as there are in a minute. */
const KEPT = 60;
/** Nanoseconds by which an explanation may be older than what is shown, or a little younger. */
const OLDER = 3e9;
const YOUNGER = 1e9;

const kept = signal<readonly ExplanationData[]>([]);
/** Why there is none. */
const refused = signal("");

/** Asks until the result is called. */
export function followExplanations(): () => void {
  return askAgain(async () => {
    try {
      const said = await explain();
      kept.value = [...kept.value.slice(1 - KEPT), said];
      refused.value = "";
    } catch (error) {
      refused.value = (error as Error).message;
    }
  }, EACH);
}

/** What was said of the moment that is shown; a text that says why there is nothing. */
export function explanationShown(): ExplanationData | string {
  const at = shown.value?.at ?? 0;
  const near = kept.value.filter((each) => each.at > at - OLDER && each.at < at + YOUNGER).at(-1);
  if (near !== undefined) return near;
  if (refused.value !== "") return refused.value;
  return isPaused.value ? "This view was not open at the moment that is shown, and so it was not asked then." : "";
}
