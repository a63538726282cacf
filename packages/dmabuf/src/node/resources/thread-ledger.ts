import { createLedger } from "./process-ledgers.js";
import type { ResourceLedger } from "./resource-ledger.js";

let ledger: ResourceLedger | undefined;

/** This thread's ledger, which other threads of the process release when this one has ended. */
export function threadLedger(): ResourceLedger {
  return (ledger ??= createLedger().ledger);
}
