/**
 * Operations on shared words, in two builds of one source: atomic instructions on shared memory, or, with MODEL defined,
 * functions of a `Substrate` that are imported. A word is counted from the start of the segment.
 */
@external("words", "load") declare function importedLoad(word: i32): i32;
@external("words", "store") declare function importedStore(word: i32, value: i32): void;
@external("words", "add") declare function importedAdd(word: i32, amount: i32): i32;
@external("words", "or") declare function importedOr(word: i32, bits: i32): i32;
@external("words", "and") declare function importedAnd(word: i32, bits: i32): i32;
@external("words", "exchange") declare function importedExchange(word: i32, value: i32): i32;
@external("words", "compareExchange") declare function importedCompareExchange(word: i32, expected: i32, replacement: i32): i32;
@external("words", "load64") declare function importedLoad64(word: i32): i64;
@external("words", "store64") declare function importedStore64(word: i32, value: i64): void;
@external("words", "compareExchange64") declare function importedCompareExchange64(word: i32, expected: i64, replacement: i64): i64;
@external("words", "wake") declare function importedWake(word: i32): i32;

@inline export function loadWord(word: i32): i32 {
  if (isDefined(MODEL)) return importedLoad(word);
  else return atomic.load<i32>(<usize>word << 2);
}

@inline export function storeWord(word: i32, value: i32): void {
  if (isDefined(MODEL)) importedStore(word, value);
  else atomic.store<i32>(<usize>word << 2, value);
}

@inline export function addWord(word: i32, amount: i32): i32 {
  if (isDefined(MODEL)) return importedAdd(word, amount);
  else return atomic.add<i32>(<usize>word << 2, amount);
}

@inline export function orWord(word: i32, bits: i32): i32 {
  if (isDefined(MODEL)) return importedOr(word, bits);
  else return atomic.or<i32>(<usize>word << 2, bits);
}

@inline export function andWord(word: i32, bits: i32): i32 {
  if (isDefined(MODEL)) return importedAnd(word, bits);
  else return atomic.and<i32>(<usize>word << 2, bits);
}

@inline export function exchangeWord(word: i32, value: i32): i32 {
  if (isDefined(MODEL)) return importedExchange(word, value);
  else return atomic.xchg<i32>(<usize>word << 2, value);
}

/** Returns what the word held before. */
@inline export function compareExchange(word: i32, expected: i32, replacement: i32): i32 {
  if (isDefined(MODEL)) return importedCompareExchange(word, expected, replacement);
  else return atomic.cmpxchg<i32>(<usize>word << 2, expected, replacement);
}

@inline export function load64(word: i32): i64 {
  if (isDefined(MODEL)) return importedLoad64(word);
  else return atomic.load<i64>(<usize>word << 2);
}

@inline export function store64(word: i32, value: i64): void {
  if (isDefined(MODEL)) importedStore64(word, value);
  else atomic.store<i64>(<usize>word << 2, value);
}

/** Returns what the word held before. */
@inline export function compareExchange64(word: i32, expected: i64, replacement: i64): i64 {
  if (isDefined(MODEL)) return importedCompareExchange64(word, expected, replacement);
  else return atomic.cmpxchg<i64>(<usize>word << 2, expected, replacement);
}

/** The number in a 64-bit word: its low 53 bits, whatever is stored there. */
@inline export function loadNumber(word: i32): i64 {
  return toNumber(load64(word));
}

@inline export function toNumber(word: i64): i64 {
  return word & 0x1f_ffff_ffff_ffff;
}

/** Wakes all that sleep on the word, in both builds by the substrate. */
@inline export function wake(word: i32): void {
  importedWake(word);
}
