import type { Agent } from "../src/domain/agent.js";
import { makeReservation, type Reservation } from "../src/reservation/reservation.js";
import type { KeepBuffer } from "../src/reservation/reservation-state.js";
import type { Segment } from "../src/domain/layout.js";
import type { Entry } from "../src/reservation/entries.js";
import { ReservationUser } from "../src/reservation/reservation-user.js";

/** The reservation in a buffer slot, whatever holds the buffer. @param keep How a held lock keeps it. */
export function reservationAt(agent: Agent, bufferSlot: number, keep?: KeepBuffer): Reservation {
  return makeReservation(ReservationUser.of(agent, bufferSlot, keep));
}

/** Adds a fence to a reservation, as the holder of its lock does. */
export function addEntry(segment: Segment, bufferSlot: number, { key, level }: Entry): void {
  const { slot, generation, sequence } = key;
  const room = segment.layout.reservationEntries;
  segment.protocol.addEntry(bufferSlot, slot, generation, sequence, level, room);
}
