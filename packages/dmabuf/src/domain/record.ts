import type { Substrate } from "../substrate/substrate.js";
import { highHalf, joinHalves, lowHalf } from "../substrate/word64.js";
import type { Sizes } from "./sizes.js";

/**
 * Records of shared words, as `linux/struct.ts` has them for the kernel: fields have names, and their places are
 * computed.
 *
 * record.1. The words of a record come first, and have the same place in every domain: `TIMELINE.OWNER`. Its lists come
 *     after them, and begin where the domain's sizes say: `layout.TIMELINE.FAILED`.
 * record.2. 64-bit words and lists begin at even indices, and a record is as long as its widest alignment asks for: two
 *     words at least. A cache line has 16 words.
 * record.3. A number above 32 bits is stored in one 64-bit word, by {@link storeNumber} or in a packing (packing.ts).
 */

/** How many slots each table has. */
export interface Counts extends Sizes {
  /** Failures of fences whose slots have been used again. */
  readonly retired: number;
}

/** One word, or a fixed number of them. */
export interface Word {
  readonly kind: "word";
  /** 32-bit words. */
  readonly words: number;
  /** It begins at a multiple of so many words. */
  readonly align: number;
  /** The packing of a word that holds several numbers. */
  readonly packing?: object;
}

/** As many items as the domain's sizes ask for. */
export interface List {
  readonly kind: "list";
  readonly count: (counts: Counts) => number;
  /** Default: one word. */
  readonly item?: AnyRecord;
  /** It begins at a multiple of so many words. Default: what an item asks for. */
  readonly align?: number;
}

export type Fields = Readonly<Record<string, Word | List>>;

/** Is read as a signed number. */
export const u32: Word = { kind: "word", words: 1, align: 1 };
export const u64: Word = { kind: "word", words: 2, align: 2 };
/** 31 bytes of UTF-8 and a terminator, see text.ts. */
export const name: Word = { kind: "word", words: 8, align: 1 };
/** One bit for each agent, see bits.ts. */
export const agentBits: List = { kind: "list", count: agentWords };
/** One word for each agent. */
export const perAgent: List = { kind: "list", count: ({ agents }) => even(agents) };

/** Several 32-bit words. */
export function words(count: number): Word {
  return { kind: "word", words: count, align: 1 };
}

/** A field that begins a cache line: it shares that with what comes after it in its record, if anything does. */
export function ownLine<F extends Word | List>(field: F): F {
  return { ...field, align: LINE };
}

/** Words of a cache line. */
export const LINE = 16;

/** Several records, one after another. */
export function list(count: number | List["count"], item: AnyRecord): List {
  return { kind: "list", count: typeof count === "number" ? () => count : count, item };
}

const FIELDS = Symbol("fields");

/** What a record is made of. */
export interface AnyRecord<F extends Fields = Fields> {
  readonly [FIELDS]: F;
}

/** The places of a record's words; and its length, if it has no lists. */
export type SharedRecord<F extends Fields> = AnyRecord<F> & {
  readonly [K in keyof F as F[K] extends Word ? K : never]: number;
} & (Extract<F[keyof F], List> extends never ? { readonly WORDS: number } : unknown);

/** The places of all fields of a record, and its length, in a domain. */
export type Placed<R> =
  R extends AnyRecord<infer F> ? { readonly [K in keyof F]: number } & { readonly WORDS: number } : never;

export function record<const F extends Fields>(fields: F): SharedRecord<F> {
  const entries = Object.entries(fields);
  const words = entries.filter(([, { kind }]) => kind === "word");
  const { WORDS, ...places } = placesOf(Object.fromEntries(words));
  const length = words.length === entries.length && { WORDS };
  return { ...places, ...length, [FIELDS]: fields } as unknown as SharedRecord<F>;
}

/** Where the fields of a record are in a domain of these sizes. */
export function place<R extends AnyRecord>(shared: R, counts: Counts): Placed<R> {
  return placesOf(shared[FIELDS], counts) as unknown as Placed<R>;
}

function placesOf(fields: Fields, counts?: Counts): Record<string, number> {
  const places: Record<string, number> = {};
  let end = 0;
  for (const [key, field] of Object.entries(fields)) {
    places[key] = aligned(end, alignOf(field));
    end = places[key] + lengthOf(field, counts);
  }
  return { ...places, WORDS: aligned(end, widest(fields)) };
}

function alignOf(field: Word | List): number {
  if (field.kind === "word") return field.align;
  return field.align ?? (field.item === undefined ? 2 : alignmentOf(field.item));
}

function lengthOf(field: Word | List, counts?: Counts): number {
  if (field.kind === "word") return field.words;
  return field.count(counts!) * (field.item === undefined ? 1 : place(field.item, counts!).WORDS);
}

/** The fields of a record, for those that print them. */
export function fieldsOf(shared: AnyRecord): Fields {
  return shared[FIELDS];
}

/** The multiple of words at which a table of these records begins. */
export function alignmentOf(shared: AnyRecord): number {
  return widest(shared[FIELDS]);
}

function widest(fields: Fields): number {
  return Math.max(2, ...Object.values(fields).map(alignOf));
}

/** How many words an array with one bit for each agent has. */
export function agentWords({ agents }: Counts): number {
  return even(Math.ceil(agents / 32));
}

function even(count: number): number {
  return aligned(count, 2);
}

export function aligned(count: number, align: number): number {
  return Math.ceil(count / align) * align;
}

/** Stores a number of up to 53 bits in a 64-bit word. */
export function storeNumber(memory: Substrate, word: number, value: number): void {
  memory.store64(word, toWord64(value));
}

/** The number in a 64-bit word: its low 53 bits, whatever is stored there. */
export function loadNumber(memory: Substrate, word: number): number {
  return toNumber(memory.load64(word));
}

/** Stores a time, which may have more than 53 bits: a browser's clock counts nanoseconds from 1970. */
export function storeTime(memory: Substrate, word: number, nanoseconds: number): void {
  memory.store64(word, toWord64(nanoseconds));
}

/** The time in a 64-bit word, as exact as a number is. */
export function loadTime(memory: Substrate, word: number): number {
  const stored = memory.load64(word);
  return highHalf(stored) * HIGH + lowHalf(stored);
}

/** Adds to the number in a 64-bit word, and returns what it was before. */
export function addNumber(memory: Substrate, word: number, amount: number): number {
  for (;;) {
    const old = memory.load64(word);
    const number = toNumber(old);
    if (memory.compareExchange64(word, old, toWord64(number + amount)) === old) return number;
  }
}

function toWord64(value: number): bigint {
  return joinHalves(value, value / HIGH);
}

function toNumber(word: bigint): number {
  return (highHalf(word) % MOST_HIGH) * HIGH + lowHalf(word);
}

const HIGH = 2 ** 32;
const MOST_HIGH = 2 ** 21;
