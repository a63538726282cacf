import type { Case } from "./scene.js";
import { CONTRIBUTOR_CASES } from "./contributor-cases.js";
import { WRONG_CONTRIBUTOR_CASES } from "./wrong-contributor-cases.js";
import { VIEWER_CASES } from "./viewer-cases.js";
import { WRONG_VIEWER_CASES } from "./wrong-viewer-cases.js";

/** In the order in which they run. */
export const ALL_CASES: readonly Case[] = [
  ...VIEWER_CASES,
  ...CONTRIBUTOR_CASES,
  ...WRONG_VIEWER_CASES,
  ...WRONG_CONTRIBUTOR_CASES,
];
