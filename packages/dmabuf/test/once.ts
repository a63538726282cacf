import process from "node:process";

/** Whether this run is the second one, in which shared words are used by `Atomics`: what says nothing of words is left out. */
export const IS_ON_ATOMICS = process.env["DMABUF_WORDS"] === "atomics";

/** Options of a test that says nothing of shared words: `test("…", { ...ONCE, timeout: 1_000 }, () => {…})`. */
export const ONCE = { skip: IS_ON_ATOMICS ? "it says nothing of shared words, and has run on WebAssembly's" : false };
