import { signal } from "@preact/signals";
import { troubleOf, type Trouble } from "../shared/messages.js";

/** Where something can go wrong: it is said there. */
export type Place =
  "source" | "picture" | "motion" | "histogram" | "sound" | "slow" | "record" | "camera" | "isolation";

export const troubles = signal<Readonly<Partial<Record<Place, Trouble>>>>({});

export function say(place: Place, trouble: Trouble): void {
  troubles.value = { ...troubles.value, [place]: trouble };
}

/** What failed, as its error says it. */
export function sayError(place: Place, error: unknown, remedy?: string): void {
  say(place, troubleOf(error, remedy));
}

export function clear(place: Place): void {
  const { [place]: gone, ...others } = troubles.value;
  if (gone !== undefined) troubles.value = others;
}
