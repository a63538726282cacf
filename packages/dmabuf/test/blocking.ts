/**
 * Options of a test that blocks its thread: `test("…", BLOCKS, () => {…})`. A browser's page may not, so the
 * test is skipped there; it still runs in a browser's worker and in Node.js.
 */
export const BLOCKS = { skip: "document" in globalThis ? "a page may not block its thread" : false };
