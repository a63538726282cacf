import { owned, type Held } from "../domain/held.js";
import type { ReservationUser } from "../reservation/reservation-user.js";
import type { StorageSegment } from "./storage.js";

export let makeMapping: (segments: readonly StorageSegment[], held: Held, reservation: ReservationUser) => Mapping;

/**
 * An importer's view of a buffer's storage. It is the importer's own until it is unmapped.
 *
 * @example
 * ```ts
 * import { Domain } from "dmabuf";
 *
 * using domain = Domain.create();
 * using buffer = domain.allocate(4096);
 * using attachment = await buffer.attach({ name: "camera" });
 * using mapping = await attachment.map("write");
 * console.log(mapping.segments.length);
 * ```
 */
export class Mapping implements Disposable {
  /** Where the bytes are, in order. */
  readonly segments: readonly StorageSegment[];
  readonly #held: Held;
  readonly #reservation: ReservationUser;

  static {
    // A list of its own: the code that has it uses the mapping.
    makeMapping = (segments, held, reservation) =>
      owned(held, new Mapping(segments, held, reservation), (mapping) => [mapping.segments]);
  }

  private constructor(segments: readonly StorageSegment[], held: Held, reservation: ReservationUser) {
    this.segments = segments;
    this.#held = held;
    this.#reservation = reservation;
  }

  /** Unmaps, for a caller that holds the reservation lock. @throws {DmaBufError} `EPERM` without it. */
  unmapLocked(): void {
    this.#reservation.assertHeld("unmap");
    this.#held.end();
  }

  /** Unmaps. The exporter hears of it with the reservation locked, as soon as the lock can be had. Twice does nothing. */
  close(): void {
    this.#held.end();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
