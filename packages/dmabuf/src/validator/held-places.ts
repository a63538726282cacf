import type { Held } from "../domain/held.js";
import { placeHere } from "../host/place.js";
import type { ReportPlace } from "../validation-report.js";

/**
 * Where things were taken that only objects of the user's can end. To note a place takes longer than to take a frame: of many
 * that are taken, some are noted. What is taken again and again has its last place that was.
 */
export class HeldPlaces {
  readonly #places = new WeakMap<Held, { readonly where: string; readonly ends: number }>();
  #taken = 0;

  took(held: Held): void {
    if (this.#places.get(held)?.ends === held.ends) return;
    const nth = this.#taken++;
    if (nth < FIRST || nth % EACH === 0) this.#places.set(held, { where: placeHere(), ends: held.ends });
  }

  of(held: Held): ReportPlace {
    const { where, ends } = this.#places.get(held) ?? { where: "", ends: -1 };
    return { what: ends === held.ends ? "it was taken here" : "one like it was taken here", where };
  }
}

/** So many are all noted, and then each of so many. */
const FIRST = 256;
const EACH = 256;
