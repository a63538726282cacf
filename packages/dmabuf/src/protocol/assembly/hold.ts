import { anyLiveAgentIn, isLive, ringAll } from "./agent-slot";
import { clearBit, setBit } from "./bits";
import { BUFFER, IDENTITY } from "./layout";
import { bufferAt } from "./places";
import { addWord, compareExchange, loadWord } from "./words";

/** Holds of a buffer; see buffer/hold.ts for the rules. What an agent itself holds already, it does not ask for here. */

/** Takes a read hold. Returns false if there is a writer. */
export function tryRead(buffer: i32, identity: i32): bool {
  if (hasWriter(buffer)) return false;
  setBit(bufferAt(buffer) + BUFFER.READERS, IDENTITY.slot(identity));
  // SYNC POINT hold-then-look: pairs with claimWriter() followed by anyReader() (hold.2).
  if (!hasWriter(buffer)) return true;
  leaveReaders(buffer, identity);
  return false;
}

/** Takes the write hold. Returns false if any agent has a hold. */
export function tryWrite(buffer: i32, identity: i32): bool {
  if (anyReader(buffer) || !claimWriter(buffer, identity)) return false;
  // SYNC POINT hold-then-look.
  if (!anyReader(buffer)) return true;
  dropWriter(buffer, identity);
  return false;
}

/** Keeps new readers and other writers out (hold.4). Returns false if there is a writer. */
export function claimWriter(buffer: i32, identity: i32): bool {
  const word = bufferAt(buffer) + BUFFER.WRITER;
  for (let writer = compareExchange(word, 0, identity); writer != 0; writer = compareExchange(word, 0, identity)) {
    if (isLive(writer)) return false;
    // hold.5 hold.7
    raiseContent(buffer);
    compareExchange(word, writer, 0);
  }
  return true;
}

/** The end of a write hold: the bytes may be others now (hold.7). */
export function leaveWriter(buffer: i32, identity: i32): void {
  raiseContent(buffer);
  dropWriter(buffer, identity);
}

/** The end of one that has written nothing. */
export function dropWriter(buffer: i32, identity: i32): void {
  compareExchange(bufferAt(buffer) + BUFFER.WRITER, identity, 0);
  ringAll(bufferAt(buffer) + BUFFER.HOLD_WAITERS);
}

function raiseContent(buffer: i32): void {
  addWord(bufferAt(buffer) + BUFFER.CONTENT, 1);
}

export function leaveReaders(buffer: i32, identity: i32): void {
  clearBit(bufferAt(buffer) + BUFFER.READERS, IDENTITY.slot(identity));
  ringAll(bufferAt(buffer) + BUFFER.HOLD_WAITERS);
}

/** Makes sure that an agent is rung when a hold of the buffer ends. */
export function armHold(buffer: i32, identity: i32): void {
  setBit(bufferAt(buffer) + BUFFER.HOLD_WAITERS, IDENTITY.slot(identity));
}

/** Whether any agent reads. */
export function anyReader(buffer: i32): bool {
  return anyLiveAgentIn(bufferAt(buffer) + BUFFER.READERS);
}

/** Whether no agent has a hold. */
export function isFree(buffer: i32): bool {
  return !anyReader(buffer) && !hasWriter(buffer);
}

function hasWriter(buffer: i32): bool {
  const writer = loadWord(bufferAt(buffer) + BUFFER.WRITER);
  return writer != 0 && isLive(writer);
}
