/* eslint-disable no-restricted-globals -- the bare side does by Atomics what a reservation does */
import { Domain } from "dmabuf";
import { parameters, report, sample, type Plan, type Run } from "./sampling.js";

/** One thread locks a buffer's reservation, adds a fence to it and unlocks it; no other agent is there. */
export interface ReservationParameters {
  readonly plan: Plan;
  readonly what: "reservation" | "bare";
}

const { plan, what } = parameters<ReservationParameters>();
report(sample(plan, what === "bare" ? bare() : reservation()));

/** Each fence takes the place of the one before, which is of the same timeline. */
function reservation(): Run<void> {
  const domain = Domain.create();
  const timeline = domain.createTimeline();
  const { reservation } = domain.allocate(4096);
  return (first, count) => {
    for (let i = first; i < first + count; i++) {
      const lock = reservation.lockSync();
      reservation.reserveFences(1);
      reservation.addFence(timeline.createFence(), "write");
      lock[Symbol.dispose]();
    }
  };
}

/** What it cannot do without: take the lock, write one entry, publish it, open the lock, look for waiters. */
function bare(): Run<void> {
  const words = new Int32Array(new SharedArrayBuffer(64));
  return (first, count) => {
    for (let i = first; i < first + count; i++) {
      if (Atomics.compareExchange(words, 0, 0, 1) !== 0) throw new Error("Another side holds the lock");
      for (let word = 4; word < 8; word++) Atomics.store(words, word, i);
      Atomics.store(words, 2, i);
      Atomics.compareExchange(words, 0, 1, 0);
      if (Atomics.load(words, 1) !== 0) throw new Error("Another side waits");
    }
  };
}
