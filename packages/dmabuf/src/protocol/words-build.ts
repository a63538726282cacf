import type { Substrate } from "../substrate/substrate.js";
import { highHalf, joinHalves, lowHalf } from "../substrate/word64.js";
import type { Call } from "./module.js";
import type { Places, Protocol } from "./protocol.js";
import { words as wordsBuild } from "./words-binary.js";

/** A function that takes what a `words` build imports, and gives the functions of the protocol. */
export type MakeWords = (imports: object) => Readonly<Record<string, Call>>;

/** A `words` build for all memories of one layout: an exploration makes a memory for each of its many runs. */
export class WordsBuild {
  /** Its prototype has the functions of the protocol, which run on the memory of their `this`. */
  readonly #Bound: new (memory: Substrate) => object;
  /** That of the call that runs just now. */
  #memory!: Substrate;
  /** The high half of the 64-bit word that was read last: JavaScript of WebAssembly returns the low one. */
  #high = 0;

  constructor(places: Places, make: MakeWords = wordsBuild) {
    const words = {
      ...places,
      load: (word: number) => this.#memory.load(word),
      store: (word: number, value: number) => this.#memory.store(word, value),
      add: (word: number, amount: number) => this.#memory.add(word, amount),
      or: (word: number, bits: number) => this.#memory.or(word, bits),
      and: (word: number, bits: number) => this.#memory.and(word, bits),
      exchange: (word: number, value: number) => this.#memory.exchange(word, value),
      compareExchange: (word: number, expected: number, replacement: number) =>
        this.#memory.compareExchange(word, expected, replacement),
      load64: (word: number) => this.#halves(this.#memory.load64(word)),
      store64: (word: number, low: number, high: number) => this.#memory.store64(word, joinHalves(low, high)),
      compareExchange64: (word: number, low: number, high: number, newLow: number, newHigh: number) =>
        this.#halves(this.#memory.compareExchange64(word, joinHalves(low, high), joinHalves(newLow, newHigh))),
      wake: (word: number) => this.#memory.wake(word),
    };
    const calls = Object.entries(make({ words, env: { getTempRet0: () => this.#high } }));
    this.#Bound = class {
      readonly memory: Substrate;

      constructor(memory: Substrate) {
        this.memory = memory;
      }
    };
    for (const [name, call] of calls)
      Object.assign(this.#Bound.prototype as object, { [name]: this.#onItsMemory(call) });
  }

  bind(memory: Substrate): Protocol {
    return new this.#Bound(memory) as Protocol;
  }

  #halves(word: bigint): number {
    this.#high = highHalf(word) | 0;
    return lowHalf(word) | 0;
  }

  /** Nothing else runs within a call but what a test lets happen before a word. That may make calls of its own. */
  #onItsMemory(call: Call): Call {
    // eslint-disable-next-line @typescript-eslint/no-this-alias -- the function's own `this` is the bound protocol
    const build = this;
    return function (this: { readonly memory: Substrate }, a, b, c, d, e, f, g, h): unknown {
      const outer = build.#memory;
      build.#memory = this.memory;
      try {
        return call(a, b, c, d, e, f, g, h);
      } finally {
        build.#memory = outer;
      }
    };
  }
}
