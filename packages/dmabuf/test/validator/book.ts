/** The whole book, chapter by chapter. */
import type { Case } from "./case.js";
import { ACROSS } from "./chapters/across.js";
import { BACK_OFF } from "./chapters/back-off.js";
import { BYTES } from "./chapters/bytes.js";
import { CONTAINERS } from "./chapters/containers.js";
import { EXPORTERS } from "./chapters/exporters.js";
import { FORGOTTEN } from "./chapters/forgotten.js";
import { HANGS } from "./chapters/hangs.js";
import { ORDER } from "./chapters/order.js";
import { OWN_FENCES } from "./chapters/own-fences.js";
import { PAGING } from "./chapters/paging.js";
import { PROMISES } from "./chapters/promises.js";

import { SIGNALLING } from "./chapters/signalling.js";

/** All cases, in the order of the table. */
export const BOOK: readonly Case[] = [
  ORDER,
  HANGS,
  SIGNALLING,
  OWN_FENCES,
  ACROSS,
  BACK_OFF,
  CONTAINERS,
  FORGOTTEN,
  BYTES,
  EXPORTERS,
  PROMISES,
  PAGING,
].flat();

export function caseOf(id: string): Case {
  const found = BOOK.find((entry) => entry.id === id);
  if (found === undefined) throw new Error(`No case is called ${id}`);
  return found;
}
