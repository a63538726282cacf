import { placeHere } from "../host/place.js";

/** The first of some lines. */
export function firstOf(place: string): string {
  return place.split("\n", 1)[0]!;
}

/** Each place of a call is looked up so often, and then once in so many calls. */
const ALWAYS = 256;
const SELDOM = 64;
/** Of so many things at the most. */
const KNOWN = 4096;

/** Places of the same things: what is done again and again is looked at only now and then, and the last place is said. */
export class Places {
  readonly #known = new Map<string, { calls: number; place: string }>();

  /** @param what The things whose places are much the same. */
  at(what: string): string {
    const known = this.#known.get(what);
    if (known === undefined) {
      const place = placeHere();
      if (this.#known.size >= KNOWN) this.#known.clear();
      this.#known.set(what, { calls: 1, place });
      return place;
    }
    if (++known.calls <= ALWAYS || known.calls % SELDOM === 0) known.place = placeHere();
    return known.place;
  }
}
