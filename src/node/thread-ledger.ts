import { ResourceLedger } from "./resource-ledger.js";

let ledger: ResourceLedger | undefined;

/**
 * This thread's ledger. A worker whose process is to release what it leaves behind is given the memory of its ledger
 * before it maps or opens anything: see {@link useLedgerMemory}.
 */
export function threadLedger(): ResourceLedger {
  return (ledger ??= new ResourceLedger());
}

/** As {@link threadLedger}, for a thread that may still be given the memory of one: then it gets a ledger of its own. */
export function presentLedger(): ResourceLedger {
  return ledger ?? new ResourceLedger();
}

/**
 * Makes this memory the thread's ledger.
 *
 * @param memory Made by the thread that will release it, once this thread has ended.
 * @returns False if the thread has a ledger already: then that one stands.
 */
export function useLedgerMemory(memory: SharedArrayBuffer): boolean {
  if (ledger !== undefined) return ledger.memory === memory;
  ledger = new ResourceLedger(memory);
  return true;
}
