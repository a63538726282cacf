import { isLive, type Identity, type Member } from "../domain/agent-slot.js";
import { BUFFER, HEADER, LOCK, type Segment } from "../domain/layout.js";
import { pairOf } from "../domain/packing.js";
import type { RecoveryStep } from "../domain/recovery.js";

/**
 * A buffer's reservation lock: wait-die with a ticket, as the kernel's. Its steps are in protocol/assembly/lock.ts; here is
 * what is rare.
 *
 * lock.1. The lock word names the holder, (ticket, identity), from the exchange that takes it on: an agent that finds a dead
 *     holder there may open the lock, at once and twice.
 * lock.2. A requester that holds other locks never waits for an older ticket; so every chain of waiting ends.
 * lock.3. Opening the lock rings all who wait for it, and each looks again: the new holder may be older than they are.
 * lock.4. A waiter sets its bit before its last look at the lock word; an opener opens the word before it takes the
 *      bits.
 * lock.5. While an exporter's operation runs for a holder in another agent, the exporter's agent is in the word in
 *     the holder's place, with the holder's ticket: the word always names who may write the entries.
 * lock.6. Who hands the lock back looks afterwards whether the holder still lives, and opens the lock if not: the
 *     holder's recovery may be over, and those who wait have been rung too early.
 * lock.7. Only who holds a reference to the buffer takes its lock, and a held lock keeps one until it is open or handed
 *     back: a buffer is not freed with its lock held, and the next one in its slot is not locked by who waited for this
 *     one.
 */

/** The lock word of a holder. Ticket 0 is that of a holder without an acquire context. */
export function lockWord(identity: Identity, ticket: number): bigint {
  return pairOf(LOCK.holder, identity, LOCK.ticket, ticket);
}

/** A new ticket, never 0: smaller (by signed difference) is older. */
export function takeTicket({ memory }: Segment): number {
  for (;;) {
    const ticket = (memory.add(HEADER.TICKETS, 1) + 1) | 0;
    if (ticket !== 0) return ticket;
  }
}

/** The word of the agent that acts for a holder. */
export function delegateWord(holder: bigint, delegate: Identity): bigint {
  return lockWord(delegate, ticketOf(holder));
}

/** Takes the lock over from its holder, as its delegate; false if the holder no longer has it. */
export function takeOverLock(member: Member, bufferSlot: number, holder: bigint): boolean {
  const word = member.layout.buffer(bufferSlot) + BUFFER.LOCK;
  return member.memory.compareExchange64(word, holder, delegateWord(holder, member.identity)) === holder;
}

/** Gives the lock back to the holder for whom it was taken over. */
export function handBackLock(member: Member, bufferSlot: number, holder: bigint): void {
  const word = member.layout.buffer(bufferSlot) + BUFFER.LOCK;
  const mine = delegateWord(holder, member.identity);
  if (member.memory.compareExchange64(word, mine, holder) !== mine) return;
  // SYNC POINT hand-back-then-look: pairs with markDead() before LOCK_RECOVERY.
  if (!isLive(member, holderOf(holder))) openWord(member, bufferSlot, holder);
}

/** The holder's word, 0n if the lock is open. */
export function lockHolder({ memory, layout }: Segment, bufferSlot: number): bigint {
  return memory.load64(layout.buffer(bufferSlot) + BUFFER.LOCK);
}

export function holderOf(word: bigint): Identity {
  return LOCK.holder.in(word) | 0;
}

export function ticketOf(word: bigint): number {
  return LOCK.ticket.in(word) | 0;
}

export const LOCK_RECOVERY: RecoveryStep = {
  table: "buffers",
  release(segment, slot, dead) {
    const holder = lockHolder(segment, slot);
    if (holder !== 0n && holderOf(holder) === dead) openWord(segment, slot, holder);
  },
};

function openWord(segment: Segment, bufferSlot: number, word: bigint): void {
  segment.protocol.openLock(bufferSlot, holderOf(word), ticketOf(word));
}
