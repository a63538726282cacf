import type { Agent } from "../src/domain/agent.js";
import { makeReservation, type Reservation } from "../src/reservation/reservation.js";
import type { KeepBuffer } from "../src/reservation/reservation-state.js";
import { ReservationUser } from "../src/reservation/reservation-user.js";

/** The reservation in a buffer slot, whatever holds the buffer. @param keep How a held lock keeps it. */
export function reservationAt(agent: Agent, bufferSlot: number, keep?: KeepBuffer): Reservation {
  return makeReservation(ReservationUser.of(agent, bufferSlot, keep));
}
